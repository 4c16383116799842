// Casbin on the cases of write_cases, in the manner of reeve_peer.cc: `casbin_peer DIRECTORY...`. Roles and lists are its
// own; the graphs of gdrive, github and tinytodo are beyond its models.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/casbin/casbin/v2"
)

const (
	budget    = 500 * time.Millisecond
	minRounds = 5
)

type request struct {
	Principal, Action, Resource string
	Allow                       bool
}

func readRequests(path string) ([]request, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []request
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var one request
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("no requests")
	}
	return all, lines.Err()
}

// Processor time of the process, that of the garbage collector included: what else the machine does is not in it.
func now() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/casbin/casbin/v2" {
				return module.Version
			}
		}
	}
	return ""
}

func measure(directory string) error {
	enforcer, err := casbin.NewEnforcer(filepath.Join(directory, "casbin/model.conf"), filepath.Join(directory, "casbin/policy.csv"))
	if err != nil {
		return err
	}
	requests, err := readRequests(filepath.Join(directory, "requests.jsonl"))
	if err != nil {
		return err
	}
	for _, one := range requests {
		allow, err := enforcer.Enforce(one.Principal, one.Resource, one.Action)
		if err != nil {
			return err
		}
		if allow != one.Allow {
			return fmt.Errorf("another answer than expected: %+v", one)
		}
	}
	var rounds []float64
	for end := now() + budget; len(rounds) < minRounds || now() < end; {
		begin := now()
		for _, one := range requests {
			if _, err := enforcer.Enforce(one.Principal, one.Resource, one.Action); err != nil {
				return err
			}
		}
		rounds = append(rounds, float64(now()-begin)/float64(len(requests)))
	}
	slices.Sort(rounds)
	line, err := json.Marshal(map[string]any{
		"case": filepath.Base(directory), "peer": "casbin", "version": version(), "ns": rounds[len(rounds)/2],
	})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	return nil
}

func main() {
	status := 0
	for _, directory := range os.Args[1:] {
		if info, err := os.Stat(filepath.Join(directory, "casbin")); err != nil || !info.IsDir() {
			continue
		}
		if err := measure(directory); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", directory, err)
			status = 1
		}
	}
	os.Exit(status)
}
