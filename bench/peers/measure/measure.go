// Package measure is what the peers in Go share: the cases of write_cases, and the time of a decision on each.
package measure

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
)

const (
	budget    = 500 * time.Millisecond
	minRounds = 5
)

// Request is one question, and the answer that is expected.
type Request struct {
	Principal, Action, Resource string
	Allow                       bool
}

func readRequests(path string) ([]Request, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []Request
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var one Request
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

func version(of string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == of {
				return module.Version
			}
		}
	}
	return ""
}

// Prepare loads the policies of a peer from its folder and returns what decides on the request of a number.
type Prepare func(folder string, requests []Request) (func(number int) (bool, error), error)

func measure(directory, peer, module string, prepare Prepare) error {
	requests, err := readRequests(filepath.Join(directory, "requests.jsonl"))
	if err != nil {
		return err
	}
	decide, err := prepare(filepath.Join(directory, peer), requests)
	if err != nil {
		return err
	}
	for i, one := range requests {
		allow, err := decide(i)
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
		for i := range requests {
			if _, err := decide(i); err != nil {
				return err
			}
		}
		rounds = append(rounds, float64(now()-begin)/float64(len(requests)))
	}
	slices.Sort(rounds)
	line, err := json.Marshal(map[string]any{
		"case": filepath.Base(directory), "peer": peer, "version": version(module), "ns": rounds[len(rounds)/2],
	})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	return nil
}

// Main measures a peer, the version of which is that of `module`, on the directories of cases that the command line names, but for those
// without a folder of the peer's name, and ends the program: with 1 if an answer was another than expected.
func Main(peer, module string, prepare Prepare) {
	status := 0
	for _, directory := range os.Args[1:] {
		if info, err := os.Stat(filepath.Join(directory, peer)); err != nil || !info.IsDir() {
			continue
		}
		if err := measure(directory, peer, module, prepare); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", directory, err)
			status = 1
		}
	}
	os.Exit(status)
}
