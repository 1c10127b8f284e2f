package probe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"proa/node/pod"
)

// TestThresholds feeds answers: s(uccess), f(ailure), w(arning), and prints the health after each, ! where it is reported.
func TestThresholds(t *testing.T) {
	datadriven.RunTest(t, "testdata/threshold.txt", func(t *testing.T, d *datadriven.TestData) string {
		th := threshold{kind: pod.ProbeKind(strings.ToUpper(d.Cmd[:1]) + d.Cmd[1:])}
		d.ScanArgs(t, "successes", &th.successes)
		d.ScanArgs(t, "fails", &th.fails)
		th.healthy = d.HasArg("healthy")
		var out strings.Builder
		for _, letter := range strings.TrimSpace(d.Input) {
			changed, done := th.add(map[rune]answer{'s': success, 'f': failure, 'w': warning}[letter])
			fmt.Fprintf(&out, "%c %s%s\n", letter, map[bool]string{true: "healthy", false: "unhealthy"}[th.healthy], map[bool]string{true: "!"}[changed])
			if done {
				return out.String() + "done\n"
			}
		}
		return out.String()
	})
}
