// Command report turns the output of `go test -json` into what a person wants to see: a line for each package, every test
// that failed with all it printed, every test that was skipped with its reason, and how many were executed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

type report struct {
	output  map[string][]string // by package and test
	count   map[string]int      // by outcome
	skipped []string
	failed  bool
}

func main() {
	r := report{output: map[string][]string{}, count: map[string]int{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Println(lines.Text()) // what the build says
			continue
		}
		r.take(e)
	}
	for _, s := range r.skipped {
		fmt.Println("skipped " + s)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.count["pass"], r.count["fail"], r.count["skip"])
	if r.failed || lines.Err() != nil || r.count["pass"] == 0 {
		os.Exit(1)
	}
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		r.output[key] = append(r.output[key], e.Output)
		return
	case "build-fail":
		r.failed = true
		fmt.Print(strings.Join(r.output[key], ""))
	case "pass", "fail", "skip":
		r.end(e, key)
	}
	delete(r.output, key)
}

// end takes the outcome of a test, or of a package when the event names no test.
func (r *report) end(e event, key string) {
	if e.Action == "fail" {
		r.failed = true
		fmt.Printf("--- failed: %s\n%s", key, strings.Join(r.output[key], ""))
	}
	if e.Test == "" {
		if e.Action == "pass" {
			fmt.Printf("ok   %-50s %6.1f s\n", e.Package, e.Elapsed)
		}
		return
	}
	r.count[e.Action]++
	if e.Action == "skip" {
		r.skipped = append(r.skipped, e.Package+" "+e.Test+": "+reason(r.output[key]))
	}
}

// reason is what a skipped test said last: what it logged before is none.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			_, why, _ := strings.Cut(text, ": ")
			return strings.TrimSpace(why)
		}
	}
	return "no reason given"
}
