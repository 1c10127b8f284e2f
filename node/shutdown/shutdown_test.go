package shutdown

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"proa/node/pod"
)

// TestPlan plays testdata/plan.txt: "settings" takes Settings as YAML (grace in nanoseconds is no fun: "seconds" and
// "critical" stand for it), "pods" prints who ends with whom; lines NAME PRIORITY [GRACE].
func TestPlan(t *testing.T) {
	var periods []Period
	datadriven.RunTest(t, "testdata/plan.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		switch d.Cmd {
		case "settings":
			var given struct {
				Seconds, Critical int
				ByPriority        string
			}
			if err := yaml.UnmarshalStrict([]byte(d.Input), &given); err != nil {
				d.Fatalf(t, "%v", err)
			}
			var err error
			periods, err = Settings{Grace: time.Duration(given.Seconds) * time.Second, GraceCritical: time.Duration(given.Critical) * time.Second, ByPriority: given.ByPriority}.Periods()
			if err != nil {
				return err.Error() + "\n"
			}
			for _, p := range periods {
				fmt.Fprintf(&out, "from %d: %s\n", p.Priority, p.Grace)
			}
			fmt.Fprintf(&out, "in all %s\n", total(periods))
		case "pods":
			var pods []*v1.Pod
			for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
				w := strings.Fields(line)
				p := named(w[0])
				priority, _ := strconv.Atoi(w[1])
				p.Spec.Priority = new(int32)
				*p.Spec.Priority = int32(priority)
				if len(w) > 2 {
					grace, _ := strconv.ParseInt(w[2], 10, 64)
					p.Spec.TerminationGracePeriodSeconds = &grace
				}
				pods = append(pods, p)
			}
			for _, g := range groups(periods, pods) {
				fmt.Fprintf(&out, "within %s:", g.Grace)
				for _, p := range g.pods {
					fmt.Fprintf(&out, " %s(%d)", p.Name, g.grace(p))
				}
				out.WriteString("\n")
			}
		}
		return out.String()
	})
}

func named(name string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
}

// machine is a bus, and the pods of a node; it writes down what happens.
type machine struct {
	mu        sync.Mutex
	story     []string
	pods      []*v1.Pod
	happened  chan struct{}
	shutdowns chan bool
}

func (m *machine) tell(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.story = append(m.story, fmt.Sprintf(format, args...))
	select {
	case m.happened <- struct{}{}:
	default:
	}
}

func (m *machine) Delay(_ context.Context, wanted time.Duration) (time.Duration, error) {
	m.tell("delay of %s", wanted)
	return wanted, nil
}
func (m *machine) Inhibit(context.Context) (func() error, error) {
	m.tell("inhibit")
	return func() error { m.tell("release"); return nil }, nil
}
func (m *machine) Shutdowns(context.Context) (<-chan bool, error) { return m.shutdowns, nil }
func (m *machine) Close() error                                   { m.tell("close"); return nil }

func (m *machine) Active() []*v1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pods)
}
func (m *machine) End(uid types.UID, why pod.Evicted) {
	m.tell("end %s in %d: %s: %s", uid, why.GraceSeconds, why.Reason, why.Message)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pods = slices.DeleteFunc(m.pods, func(p *v1.Pod) bool { return p.UID == uid })
}
func (m *machine) Runs(uid types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.pods, func(p *v1.Pod) bool { return p.UID == uid })
}

// wait returns when the story ends like that.
func (m *machine) wait(t *testing.T, last string) {
	t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		m.mu.Lock()
		told := slices.Clone(m.story)
		m.mu.Unlock()
		if len(told) > 0 && told[len(told)-1] == last {
			return
		}
		select {
		case <-m.happened:
		case <-deadline:
			t.Fatalf("no %q: %v", last, told)
		}
	}
}

func TestShutdownInOrder(t *testing.T) {
	m := &machine{happened: make(chan struct{}, 1), shutdowns: make(chan bool)}
	web, system := named("web"), named("system")
	system.Spec.Priority = new(int32)
	*system.Spec.Priority = pod.SystemCritical
	m.pods = []*v1.Pod{system, web}
	manager := New(Config{Periods: []Period{{0, 20 * time.Second}, {pod.SystemCritical, 10 * time.Second}}, Pods: m, Log: slog.New(slog.DiscardHandler),
		Bus: func() (Bus, error) { return m, nil }, Changed: func() { m.tell("changed") }})
	if manager.NotReady() != "" || manager.Admit(web) != nil {
		t.Error("the node is not ready although its machine goes on")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx) }()
	m.wait(t, "inhibit")
	m.shutdowns <- false // says nothing new
	m.shutdowns <- true
	m.wait(t, "release")
	if refused := manager.Admit(web); manager.NotReady() != "node is shutting down" || refused == nil || refused.Reason != "NodeShutdown" {
		t.Errorf("not ready: %q, refused: %v", manager.NotReady(), refused)
	}
	m.shutdowns <- false
	m.wait(t, "inhibit")
	if manager.NotReady() != "" || manager.Admit(web) != nil {
		t.Error("the node is not ready although the machine goes on after all")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := `delay of 30s
inhibit
changed
end web in 20: Terminated: Pod was terminated in response to imminent node shutdown.
end system in 10: Terminated: Pod was terminated in response to imminent node shutdown.
release
changed
inhibit
release
close`
	if story := strings.Join(m.story, "\n"); story != want {
		t.Errorf("story is\n%s", story)
	}
}

// Where there is no bus, Run says so and waits for its end: a part that returned would stop the node.
func TestNoBus(t *testing.T) {
	var said strings.Builder
	tried := make(chan struct{}, 10)
	m := New(Config{Periods: []Period{{0, time.Second}}, Log: slog.New(slog.NewTextHandler(&said, nil)), Bus: func() (Bus, error) {
		tried <- struct{}{}
		return nil, errors.New("no such file")
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	<-tried
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(tried) > 0 || strings.Count(said.String(), "\n") > 1 {
		t.Errorf("tried %d times more, said %s", len(tried), said.String())
	}
}
