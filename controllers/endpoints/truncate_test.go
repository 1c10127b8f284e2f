package endpoints

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Beyond a thousand addresses some are left out, unready ones first, and the object says so.
func TestTruncation(t *testing.T) {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: corev1.ServiceSpec{
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports:      []corev1.ServicePort{{Port: 80}},
		},
	}
	for _, test := range []struct{ ready, unready, keptReady, keptUnready int }{
		{600, 400, 600, 400},
		{600, 500, 600, 400},
		{1100, 300, 1000, 0},
	} {
		var pods []*corev1.Pod
		for i := range test.ready + test.unready {
			status := corev1.ConditionFalse
			if i < test.ready {
				status = corev1.ConditionTrue
			}
			pods = append(pods, &corev1.Pod{Status: corev1.PodStatus{
				PodIP:      fmt.Sprintf("10.%d.%d.1", i/250, i%250),
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}},
			}})
		}
		got, _ := decide(service, pods, nil)
		ready, unready := 0, 0
		for _, s := range got.Subsets {
			ready += len(s.Addresses)
			unready += len(s.NotReadyAddresses)
		}
		said := got.Annotations[corev1.EndpointsOverCapacity] == "truncated"
		if ready != test.keptReady || unready != test.keptUnready || said != (test.ready+test.unready > 1000) {
			t.Errorf("%+v: kept %d and %d, said so: %t", test, ready, unready, said)
		}
	}
}
