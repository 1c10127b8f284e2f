package evict_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/node/evict"
	"proa/node/pod"
)

// TestScripts plays the stories in testdata. Commands:
//
//	policy            the settings, as YAML of evict.Settings
//	pods [apart]      what runs and uses what, as YAML of podScript; apart: images are on a file system of their own
//	look TIME         what follows from the levels at that time; the input is lines of SIGNAL AVAILABLE of CAPACITY
//	relieved          whether these levels are enough, once reclaiming has begun
//	limits            which of the pods broke a limit of their own
//	headroom          what must stay free of a capacity, as YAML
//	admit CONDITION.. whether the pods would be admitted
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

type script struct {
	out     strings.Builder
	policy  evict.Policy
	decider *evict.Decider
	usage   []evict.Usage
	apart   bool
}

// podScript is a pod with one container c.
type podScript struct {
	Name           string
	Priority       int32
	Static         bool
	Grace          *int64
	Requests       v1.ResourceList
	Limits         v1.ResourceList
	Tolerate       string // a taint's key
	Memory         resource.Quantity
	Processes      int64
	Layer, Logs    resource.Quantity
	Files          int64                        // inodes of the layer
	Volumes, Sizes map[string]resource.Quantity // emptyDirs: what is in them, and their limits
	Unknown        bool
}

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	t.Helper()
	switch d.Cmd {
	case "policy":
		var settings evict.Settings
		parse(t, d, &settings)
		var err error
		if s.policy, err = settings.Policy(); err != nil {
			fmt.Fprintln(&s.out, err)
			return
		}
		s.decider = evict.NewDecider(s.policy)
	case "pods":
		var pods []podScript
		parse(t, d, &pods)
		s.usage, s.apart = nil, len(d.CmdArgs) > 0 && d.CmdArgs[0].Key == "apart"
		for _, p := range pods {
			s.usage = append(s.usage, p.usage())
		}
	case "look":
		after, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.look(after, levels(t, d))
	case "relieved":
		fmt.Fprintln(&s.out, s.decider.Relieved(levels(t, d)))
	case "limits":
		for _, e := range evict.OverLimit(s.usage, s.apart) {
			s.print(&e)
		}
	case "headroom":
		var capacity v1.ResourceList
		parse(t, d, &capacity)
		kept := s.policy.Headroom(capacity)
		fmt.Fprintf(&s.out, "memory %s, disk %s\n", kept.Memory(), kept.StorageEphemeral())
	case "admit":
		var conditions []v1.NodeConditionType
		for _, a := range d.CmdArgs {
			conditions = append(conditions, v1.NodeConditionType(a.Key))
		}
		for _, u := range s.usage {
			verdict := "yes"
			if refused := evict.Admit(u.Pod, conditions); refused != nil {
				verdict = refused.Reason + ": " + refused.Message
			}
			fmt.Fprintf(&s.out, "%s: %s\n", u.Pod.Name, verdict)
		}
	default:
		d.Fatalf(t, "no command %s", d.Cmd)
	}
}

func parse(t *testing.T, d *datadriven.TestData, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(d.Input), into); err != nil {
		d.Fatalf(t, "%v", err)
	}
}

func levels(t *testing.T, d *datadriven.TestData) evict.Levels {
	t.Helper()
	all := evict.Levels{}
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		if w := strings.Fields(line); len(w) == 4 {
			available, capacity := resource.MustParse(w[1]), resource.MustParse(w[3])
			all[evict.Signal(w[0])] = evict.Level{Available: available.Value(), Capacity: capacity.Value()}
		}
	}
	return all
}

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *script) look(after time.Duration, levels evict.Levels) {
	verdict := s.decider.Observe(begin.Add(after), levels)
	fmt.Fprintf(&s.out, "conditions %v\n", verdict.Conditions)
	if verdict.Starving == nil {
		return
	}
	fmt.Fprintf(&s.out, "short of %s\n", verdict.Starving.Resource())
	// The order is shown by taking away the first again and again.
	left := slices.Clone(s.usage)
	for {
		e := s.decider.Choose(*verdict.Starving, levels, left, s.apart)
		if e == nil {
			return
		}
		s.print(e)
		left = slices.DeleteFunc(left, func(u evict.Usage) bool { return u.Pod == e.Pod })
	}
}

func (s *script) print(e *evict.Eviction) {
	fmt.Fprintf(&s.out, "evict %s, grace %d, disrupted %t: %s\n", e.Pod.Name, e.Grace, e.Disrupted, e.Message)
}

func (p podScript) usage() evict.Usage {
	made := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Annotations: map[string]string{}}, Spec: v1.PodSpec{
		Priority: &p.Priority, TerminationGracePeriodSeconds: p.Grace,
		Containers: []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: p.Requests, Limits: p.Limits}}},
	}}
	if p.Static {
		made.Annotations[pod.AnnotationSource] = "file"
	}
	if p.Tolerate != "" {
		made.Spec.Tolerations = []v1.Toleration{{Key: p.Tolerate, Operator: v1.TolerationOpExists}}
	}
	u := evict.Usage{Pod: made, Known: !p.Unknown, Memory: p.Memory.Value(), Processes: p.Processes, Volumes: map[string]evict.Disk{}}
	u.Containers = []evict.ContainerUsage{{Name: "c", Memory: p.Memory.Value(),
		Layer: evict.Disk{Bytes: p.Layer.Value(), Inodes: p.Files}, Logs: evict.Disk{Bytes: p.Logs.Value()}}}
	for name, size := range p.Volumes {
		u.Volumes[name] = evict.Disk{Bytes: size.Value()}
		source := &v1.EmptyDirVolumeSource{}
		if limit, ok := p.Sizes[name]; ok {
			source.SizeLimit = &limit
		}
		made.Spec.Volumes = append(made.Spec.Volumes, v1.Volume{Name: name, VolumeSource: v1.VolumeSource{EmptyDir: source}})
	}
	return u
}
