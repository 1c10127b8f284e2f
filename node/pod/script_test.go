package pod_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/node/pod"
)

// TestScripts plays the stories in testdata. Commands, one a line:
//
//	pod [unseen]        the pod, as YAML; an empty runtime is observed at once, or with the command seen
//	ok [VERB...]        all actions under way (or those of the verbs) succeed, and so do those that follow from them
//	fail VERB [NAME]    an action under way fails; the input is REASON: MESSAGE, or just a message
//	made NAME [running] the runtime reports the container that is being started, before the action is through
//	exit NAME CODE      the container ends
//	dies                the runtime reports the sandbox dead, as it does while it is still being stopped
//	lose                the sandbox dies, and all in it
//	probe NAME KIND UP  a probe's result
//	delete GRACE        the API marks the pod; vanish: the API has it no more
//	edit                the pod changes: YAML of the fields
//	pass DURATION       time goes by, waking the machine whenever it asked for it
//	refuse, evict       the node refuses the pod, or has it end
//	reclaim             the node is short of room
//	restart             a new agent takes over what the runtime has
//	status              the status as YAML
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			s.run(t, d)
			return s.out.String()
		})
	})
}

// script is a machine with a pretended runtime.
type script struct {
	out        strings.Builder
	now        time.Time
	machine    *pod.Machine
	underWay   []pod.Action
	sandboxes  map[string]*pod.Sandbox
	containers map[string]*pod.Container
	ids        int
	wake       time.Time
	summary    string
	stored     v1.PodStatus
}

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	t.Helper()
	switch d.Cmd {
	case "pod":
		s.begin(t, d)
	case "ok":
		s.succeed(words(d))
	case "fail":
		s.fail(t, d)
	case "made":
		i := slices.IndexFunc(s.underWay, func(a pod.Action) bool { return a.Verb == pod.StartContainer && a.Container == words(d)[0] })
		if i < 0 {
			d.Fatalf(t, "%s is not being started", words(d)[0])
		}
		c := s.made(s.underWay[i])
		if slices.Contains(words(d), "running") {
			c.State, c.StartedAt = pod.ContainerRunning, s.now
		}
		s.step(pod.Observed{Containers: []pod.Container{*c}})
	case "exit":
		code, _ := strconv.Atoi(words(d)[1])
		s.exit(words(d)[0], int32(code), strings.TrimSpace(d.Input))
	case "lose":
		s.lose()
	case "dies":
		for _, box := range s.sandboxes {
			dead := *box
			dead.Ready = false
			s.step(pod.Observed{Sandboxes: []pod.Sandbox{dead}})
		}
	case "probe":
		w := words(d)
		c := s.newest(w[0])
		s.step(pod.Probed{ProbeResult: pod.ProbeResult{Container: w[0], ContainerID: c.ID, Kind: pod.ProbeKind(w[1]), Healthy: w[2] == "true"}})
	case "delete":
		grace, _ := strconv.ParseInt(words(d)[0], 10, 64)
		p := s.machine.Pod().DeepCopy()
		at := metav1.NewTime(s.now.Add(time.Duration(grace) * time.Second))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
		s.step(pod.Desired{Pod: p})
	case "vanish":
		s.step(pod.Vanished{})
	case "edit":
		p := s.machine.Pod().DeepCopy()
		if err := yaml.Unmarshal([]byte(d.Input), p); err != nil {
			d.Fatalf(t, "%v", err)
		}
		p.Status = s.stored
		s.step(pod.Desired{Pod: p})
	case "pass":
		took, err := time.ParseDuration(words(d)[0])
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.pass(took)
	case "refuse":
		s.step(pod.Refused{Reason: "OutOfcpu", Message: "Node didn't have enough resource: cpu, requested: 2, used: 1, capacity: 2"})
	case "seen":
		s.step(s.full())
	case "evict":
		s.step(pod.Evicted{Reason: "Evicted", Message: "The node was low on resource: memory.", GraceSeconds: 5, Disrupted: true})
	case "reclaim":
		s.step(pod.Reclaimed{})
	case "restart":
		p := s.machine.Pod().DeepCopy()
		p.Status = s.stored
		s.underWay, s.summary = nil, ""
		s.machine = pod.New(p, pod.Host{IPs: []string{"192.0.2.1"}})
		s.step(s.full())
	case "status":
		text, err := yaml.Marshal(s.stored)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.out.Write(text)
	default:
		d.Fatalf(t, "no command %s", d.Cmd)
	}
}

func words(d *datadriven.TestData) []string {
	var all []string
	for _, a := range d.CmdArgs {
		all = append(all, a.Key)
	}
	return all
}

func (s *script) begin(t *testing.T, d *datadriven.TestData) {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u", Generation: 1}, Spec: v1.PodSpec{RestartPolicy: v1.RestartPolicyAlways}}
	if err := yaml.UnmarshalStrict([]byte(d.Input), &p.Spec); err != nil {
		d.Fatalf(t, "%v", err)
	}
	*s = script{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), sandboxes: map[string]*pod.Sandbox{}, containers: map[string]*pod.Container{}}
	s.machine = pod.New(p, pod.Host{IPs: []string{"192.0.2.1"}})
	if !slices.Contains(words(d), "unseen") {
		s.step(s.full())
	}
}

func (s *script) full() pod.Observed {
	seen := pod.Observed{Full: true}
	for _, id := range slices.Sorted(maps.Keys(s.sandboxes)) {
		seen.Sandboxes = append(seen.Sandboxes, *s.sandboxes[id])
	}
	for _, id := range slices.Sorted(maps.Keys(s.containers)) {
		seen.Containers = append(seen.Containers, *s.containers[id])
	}
	return seen
}

// step feeds one event and prints what follows.
func (s *script) step(e pod.Event) {
	step := s.machine.Step(s.now, e)
	s.wake, s.stored = step.Wake, step.Status
	if step.From != step.To {
		fmt.Fprintf(&s.out, "%s -> %s\n", step.From, step.To)
	}
	look := false
	for _, a := range step.Actions {
		fmt.Fprintf(&s.out, "  %s\n", a)
		switch a.Verb {
		case pod.Record, pod.WatchProbes, pod.ForgetProbes, pod.CancelStarts:
		case pod.Observe:
			look = true
		default:
			s.underWay = slices.DeleteFunc(s.underWay, func(o pod.Action) bool { return o.Verb == a.Verb && o.Container == a.Container && o.ID == a.ID })
			s.underWay = append(s.underWay, a)
		}
	}
	if line := summary(&step.Status); line != s.summary {
		s.summary = line
		fmt.Fprintf(&s.out, "= %s\n", line)
	}
	if look {
		s.step(s.full())
	}
}

func (s *script) succeed(verbs []string) {
	for {
		i := slices.IndexFunc(s.underWay, func(a pod.Action) bool { return len(verbs) == 0 || slices.Contains(verbs, string(a.Verb)) })
		if i < 0 {
			return
		}
		a := s.underWay[i]
		s.underWay = slices.Delete(s.underWay, i, i+1)
		s.step(s.perform(a))
	}
}

// perform does what the runtime would.
func (s *script) perform(a pod.Action) pod.Done {
	done := pod.Done{Action: a}
	switch a.Verb {
	case pod.RunSandbox:
		box := &pod.Sandbox{ID: s.id("s"), Attempt: uint32(a.Attempt), Ready: true, IPs: []string{"10.0.0.9"}}
		s.sandboxes[box.ID] = box
		done.Sandbox = box
	case pod.EnsureImage:
		done.Image = "image"
	case pod.StartContainer:
		c := s.newest(a.Container)
		if c == nil || c.Exited() || c.Attempt != a.Attempt {
			c = s.made(a)
		}
		c.State, c.StartedAt = pod.ContainerRunning, s.now
		copied := *c
		done.Container = &copied
	case pod.StopContainer:
		if c := s.containers[a.ID]; c.State == pod.ContainerRunning {
			s.end(c, 143, "")
		}
	case pod.StopSandbox:
		s.sandboxes[a.ID].Ready = false
	case pod.RemoveSandbox:
		delete(s.sandboxes, a.ID)
		maps.DeleteFunc(s.containers, func(_ string, c *pod.Container) bool { return c.SandboxID == a.ID })
	case pod.RemoveContainer:
		delete(s.containers, a.ID)
	}
	return done
}

// made is the container that an action creates, before it starts.
func (s *script) made(a pod.Action) *pod.Container {
	spec := pod.FindContainer(s.machine.Pod(), a.Container)
	c := &pod.Container{ID: s.id("c"), Name: a.Container, SandboxID: a.ID, Attempt: a.Attempt, State: pod.ContainerCreated,
		SpecHash: pod.SpecHash(spec), CreatedAt: s.now.Add(time.Duration(s.ids)), Image: spec.Image, ImageID: "image"}
	s.containers[c.ID] = c
	return c
}

func (s *script) id(prefix string) string {
	s.ids++
	return fmt.Sprintf("%s%d", prefix, s.ids)
}

func (s *script) end(c *pod.Container, code int32, message string) {
	c.State, c.ExitCode, c.FinishedAt, c.Message, c.Reason = pod.ContainerExited, code, s.now, message, "Completed"
	if code != 0 {
		c.Reason = "Error"
	}
}

func (s *script) newest(name string) *pod.Container {
	var found *pod.Container
	for _, c := range s.containers {
		if c.Name == name && (found == nil || c.CreatedAt.After(found.CreatedAt)) {
			found = c
		}
	}
	return found
}

func (s *script) exit(name string, code int32, message string) {
	c := s.newest(name)
	s.end(c, code, message)
	s.step(pod.Observed{Containers: []pod.Container{*c}})
}

func (s *script) lose() {
	for _, box := range s.sandboxes {
		box.Ready = false
	}
	for _, c := range s.containers {
		if c.State == pod.ContainerRunning {
			s.end(c, 137, "")
		}
	}
	s.step(s.full())
}

func (s *script) fail(t *testing.T, d *datadriven.TestData) {
	w := words(d)
	i := slices.IndexFunc(s.underWay, func(a pod.Action) bool { return string(a.Verb) == w[0] && (len(w) < 2 || a.Container == w[1]) })
	if i < 0 {
		d.Fatalf(t, "no %v is under way: %v", w, s.underWay)
	}
	a := s.underWay[i]
	s.underWay = slices.Delete(s.underWay, i, i+1)
	var err error = errors.New(strings.TrimSpace(d.Input))
	if reason, message, ok := strings.Cut(err.Error(), ": "); ok {
		err = &pod.Failure{Reason: reason, Message: message}
	}
	s.step(pod.Done{Action: a, Err: err})
}

func (s *script) pass(took time.Duration) {
	end := s.now.Add(took)
	for !s.wake.IsZero() && !s.wake.After(end) {
		s.now = s.wake
		fmt.Fprintf(&s.out, "at %s\n", s.now.Format("15:04:05"))
		s.step(pod.Tick{})
	}
	s.now = end
}

// summary is a status on one line, as far as stories are about it.
func summary(s *v1.PodStatus) string {
	var b strings.Builder
	b.WriteString(string(s.Phase))
	if s.Reason != "" {
		fmt.Fprintf(&b, "(%s: %s)", s.Reason, s.Message)
	}
	for _, list := range [][]v1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses, s.EphemeralContainerStatuses} {
		for i := range list {
			fmt.Fprintf(&b, "; %s", describe(&list[i]))
		}
	}
	var not []string
	for _, c := range s.Conditions {
		if c.Status != v1.ConditionTrue {
			not = append(not, string(c.Type))
		}
	}
	if len(not) > 0 {
		fmt.Fprintf(&b, "; not %s", strings.Join(not, ","))
	}
	return b.String()
}

func describe(c *v1.ContainerStatus) string {
	var b strings.Builder
	b.WriteString(c.Name + " ")
	switch {
	case c.State.Running != nil:
		b.WriteString("runs")
	case c.State.Terminated != nil:
		fmt.Fprintf(&b, "ended %d", c.State.Terminated.ExitCode)
	case c.State.Waiting != nil:
		b.WriteString("waits: " + c.State.Waiting.Reason)
		if c.State.Waiting.Message != "" {
			b.WriteString(" (" + c.State.Waiting.Message + ")")
		}
	}
	if c.Ready {
		b.WriteString(", ready")
	} else if c.Started != nil && *c.Started {
		b.WriteString(", started")
	}
	if c.Resources != nil && len(c.Resources.Requests) > 0 {
		fmt.Fprintf(&b, ", cpu %s", c.Resources.Requests.Cpu())
	}
	if c.RestartCount > 0 {
		fmt.Fprintf(&b, ", restarts %d", c.RestartCount)
	}
	if t := c.LastTerminationState.Terminated; t != nil {
		fmt.Fprintf(&b, ", before: %d", t.ExitCode)
	}
	return b.String()
}
