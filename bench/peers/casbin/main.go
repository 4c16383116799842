// Casbin on the cases of write_cases, in the manner of reeve_peer.cc: `casbin_peer DIRECTORY...`. Roles and lists are its
// own; the graphs of gdrive, github and tinytodo are beyond its models.
package main

import (
	"path/filepath"

	"github.com/casbin/casbin/v2"
	"reeve_bench/measure"
)

func prepare(folder string, requests []measure.Request) (func(int) (bool, error), error) {
	enforcer, err := casbin.NewEnforcer(filepath.Join(folder, "model.conf"), filepath.Join(folder, "policy.csv"))
	if err != nil {
		return nil, err
	}
	return func(number int) (bool, error) {
		one := &requests[number]
		return enforcer.Enforce(one.Principal, one.Resource, one.Action)
	}, nil
}

func main() { measure.Main("casbin", "github.com/casbin/casbin/v2", prepare) }
