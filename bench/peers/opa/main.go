// OPA on the cases of write_cases, in the manner of reeve_peer.cc: `opa_peer DIRECTORY...`. The query is prepared and the
// input made beforehand, so that the time is of the evaluation alone.
package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"reeve_bench/measure"
)

func prepare(folder string, requests []measure.Request) (func(int) (bool, error), error) {
	policy, err := os.ReadFile(filepath.Join(folder, "policy.rego"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, "data.json"))
	if err != nil {
		return nil, err
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		return nil, err
	}
	ctx := context.Background()
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	query, err := rego.New(rego.Query("data.bench.allow"), rego.Module("policy.rego", string(policy)), rego.Store(store)).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	inputs := make([]ast.Value, len(requests))
	for i, one := range requests {
		inputs[i], err = ast.InterfaceToValue(map[string]any{"principal": one.Principal, "action": one.Action, "resource": one.Resource})
		if err != nil {
			return nil, err
		}
	}
	return func(number int) (bool, error) {
		answer, err := query.Eval(ctx, rego.EvalParsedInput(inputs[number]))
		return answer.Allowed(), err
	}, nil
}

func main() { measure.Main("opa", "github.com/open-policy-agent/opa", prepare) }
