// OPA on the cases of write_cases, in the manner of reeve_peer.cc: `opa_peer DIRECTORY...`. The query is prepared and the
// input made beforehand, so that the time is of the evaluation alone.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
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
			if module.Path == "github.com/open-policy-agent/opa" {
				return module.Version
			}
		}
	}
	return ""
}

func prepare(ctx context.Context, directory string) (rego.PreparedEvalQuery, error) {
	policy, err := os.ReadFile(filepath.Join(directory, "opa/policy.rego"))
	if err != nil {
		return rego.PreparedEvalQuery{}, err
	}
	text, err := os.ReadFile(filepath.Join(directory, "opa/data.json"))
	if err != nil {
		return rego.PreparedEvalQuery{}, err
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		return rego.PreparedEvalQuery{}, err
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	return rego.New(rego.Query("data.bench.allow"), rego.Module("policy.rego", string(policy)), rego.Store(store)).PrepareForEval(ctx)
}

func measure(directory string) error {
	ctx := context.Background()
	query, err := prepare(ctx, directory)
	if err != nil {
		return err
	}
	requests, err := readRequests(filepath.Join(directory, "requests.jsonl"))
	if err != nil {
		return err
	}
	inputs := make([]ast.Value, len(requests))
	for i, one := range requests {
		inputs[i], err = ast.InterfaceToValue(map[string]any{"principal": one.Principal, "action": one.Action, "resource": one.Resource})
		if err != nil {
			return err
		}
	}
	for i, one := range requests {
		answer, err := query.Eval(ctx, rego.EvalParsedInput(inputs[i]))
		if err != nil {
			return err
		}
		if answer.Allowed() != one.Allow {
			return fmt.Errorf("another answer than expected: %+v", one)
		}
	}
	var rounds []float64
	for end := now() + budget; len(rounds) < minRounds || now() < end; {
		begin := now()
		for _, input := range inputs {
			if _, err := query.Eval(ctx, rego.EvalParsedInput(input)); err != nil {
				return err
			}
		}
		rounds = append(rounds, float64(now()-begin)/float64(len(inputs)))
	}
	slices.Sort(rounds)
	line, err := json.Marshal(map[string]any{
		"case": filepath.Base(directory), "peer": "opa", "version": version(), "ns": rounds[len(rounds)/2],
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
		if info, err := os.Stat(filepath.Join(directory, "opa")); err != nil || !info.IsDir() {
			continue
		}
		if err := measure(directory); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", directory, err)
			status = 1
		}
	}
	os.Exit(status)
}
