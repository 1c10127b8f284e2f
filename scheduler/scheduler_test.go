package scheduler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"proa/scheduler"
	"proa/scheduler/state"
)

// TestSchedule: "nodes", "placed", "class", "claim" and "volume" build the state from YAML, "schedule" decides about pods and places them, "remove"
// takes a pod or node away.
func TestSchedule(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		st, s := state.New(), scheduler.New()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			switch d.Cmd {
			case "clear":
				st, s = state.New(), scheduler.New()
			case "nodes":
				for _, doc := range docs(d.Input) {
					st.SetNode(decode(t, doc, &v1.Node{}))
				}
			case "budget":
				for _, doc := range docs(d.Input) {
					st.Budgets.Set(decode(t, doc, &policyv1.PodDisruptionBudget{}))
				}
			case "nominate":
				for _, doc := range docs(d.Input) {
					pod := decode(t, doc, &v1.Pod{})
					pod.UID = types.UID(pod.Name)
					st.Nominate(state.NewPod(pod), pod.Status.NominatedNodeName)
				}
			case "class":
				for _, doc := range docs(d.Input) {
					st.Volumes.SetClass(decode(t, doc, &storagev1.StorageClass{}))
				}
			case "claim":
				for _, doc := range docs(d.Input) {
					claim := decode(t, doc, &v1.PersistentVolumeClaim{})
					claim.UID = types.UID(claim.Name)
					st.Volumes.SetClaim(claim)
				}
			case "volume":
				for _, doc := range docs(d.Input) {
					st.Volumes.SetVolume(decode(t, doc, &v1.PersistentVolume{}))
				}
			case "placed", "schedule":
				for _, doc := range docs(d.Input) {
					pod := decode(t, doc, &v1.Pod{})
					pod.UID = types.UID(pod.Name)
					p := state.NewPod(pod)
					if d.Cmd == "placed" {
						st.Place(p, pod.Spec.NodeName)
						continue
					}
					got := s.Schedule(st, p)
					if got.Node == "" {
						fmt.Fprintf(&out, "%s: %s\n", pod.Name, got.Reason)
						if got.Preempt != nil {
							var names []string
							for _, v := range got.Preempt.Pods {
								names = append(names, v.Name)
							}
							fmt.Fprintf(&out, "  on %s go: %s\n", got.Preempt.Node, strings.Join(names, " "))
						}
						continue
					}
					st.Place(p, got.Node)
					fmt.Fprintf(&out, "%s -> %s%s\n", pod.Name, got.Node, provisions(got))
				}
			case "remove":
				for _, name := range strings.Fields(d.Input) {
					if !st.Remove(types.UID(name)) {
						st.DeleteNode(name)
					}
				}
			default:
				t.Fatalf("unknown command %q", d.Cmd)
			}
			return out.String()
		})
	})
}

// provisions says how claims get their volumes: claim=volume, or claim=new.
func provisions(d scheduler.Decision) string {
	text := ""
	for _, p := range d.Volumes {
		volume := "new"
		if p.Volume != nil {
			volume = p.Volume.Name
		}
		text += " " + p.Claim.Name + "=" + volume
	}
	return text
}

func docs(input string) []string { return strings.Split(input, "---\n") }

func decode[T any](t *testing.T, doc string, into T) T {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
		t.Fatalf("%v in:\n%s", err, doc)
	}
	return into
}

func BenchmarkSchedule(b *testing.B) {
	for _, nodes := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			st, s := state.New(), scheduler.New()
			for i := range nodes {
				n := &v1.Node{}
				n.Name = fmt.Sprintf("node-%d", i)
				n.Status.Allocatable = v1.ResourceList{"cpu": resource.MustParse("32"), "memory": resource.MustParse("64Gi"), "pods": resource.MustParse("110")}
				st.SetNode(n)
			}
			pod := &v1.Pod{}
			pod.Spec.Containers = []v1.Container{{Resources: v1.ResourceRequirements{Requests: v1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("100Mi")}}}}
			for i := 0; b.Loop(); i++ {
				pod.UID = types.UID(fmt.Sprint(i % (nodes * 50)))
				p := state.NewPod(pod)
				d := s.Schedule(st, p)
				if d.Node == "" {
					b.Fatal(d.Reason)
				}
				st.Place(p, d.Node)
			}
		})
	}
}
