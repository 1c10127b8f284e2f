package endpointslice

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// lab plays decide against what it decided before.
type lab struct {
	snapshot
	made int
}

func newLab() *lab {
	l := &lab{}
	l.service = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "s"},
		Spec:       corev1.ServiceSpec{IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	l.zone = func(string) (string, bool) { return "", true }
	return l
}

func (l *lab) pods(from, to int) {
	for i := from; i < to; i++ {
		l.snapshot.pods = append(l.snapshot.pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("p%03d", i), UID: types.UID(fmt.Sprint(i))},
			Spec:       corev1.PodSpec{NodeName: "n"},
			Status:     corev1.PodStatus{PodIP: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)},
		})
	}
}

// step decides, carries it out, and says what it took and how full the slices are.
func (l *lab) step() string {
	p := decide(l.snapshot)
	for _, slice := range p.create {
		l.made++
		slice.Name = fmt.Sprintf("web-%d", l.made)
		l.slices = append(l.slices, slice)
	}
	for _, next := range p.update {
		for i := range l.slices {
			if l.slices[i].Name == next.Name {
				l.slices[i] = next
			}
		}
	}
	l.slices = slices.DeleteFunc(l.slices, func(s *discoveryv1.EndpointSlice) bool { return slices.Contains(p.remove, s) || gone(p.remove, s) })
	var sizes []int
	for _, slice := range l.slices {
		sizes = append(sizes, len(slice.Endpoints))
	}
	return fmt.Sprintf("create %d update %d remove %d: %v", len(p.create), len(p.update), len(p.remove), sizes)
}

func gone(list []*discoveryv1.EndpointSlice, slice *discoveryv1.EndpointSlice) bool {
	return slices.ContainsFunc(list, func(s *discoveryv1.EndpointSlice) bool { return s.Name == slice.Name })
}

// Endpoints are spread over slices of at most a hundred, and as few slices as possible change.
func TestSpread(t *testing.T) {
	l := newLab()
	check := func(what, want string) {
		t.Helper()
		if got := l.step(); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	check("no pods", "create 1 update 0 remove 0: [0]")
	check("again", "create 0 update 0 remove 0: [0]")
	l.pods(0, 250)
	check("250 pods", "create 2 update 1 remove 0: [100 100 50]")
	check("again", "create 0 update 0 remove 0: [100 100 50]")
	l.pods(250, 260)
	check("10 more fit into the fullest slice with room", "create 0 update 1 remove 0: [100 100 60]")
	l.snapshot.pods = slices.Delete(l.snapshot.pods, 0, 30)
	check("30 of the first go", "create 0 update 1 remove 0: [70 100 60]")
	l.pods(260, 320)
	check("60 more fit into no single slice", "create 1 update 0 remove 0: [70 100 60 60]")
	l.snapshot.pods[0].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	l.pods(320, 325)
	check("a change takes new ones along", "create 0 update 1 remove 0: [75 100 60 60]")
	l.snapshot.pods = nil
	check("none is left", "create 0 update 1 remove 3: [0]")
}
