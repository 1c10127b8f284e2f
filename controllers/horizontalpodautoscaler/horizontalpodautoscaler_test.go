package horizontalpodautoscaler_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"proa/controllers/horizontalpodautoscaler"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// byName is usage that stands in the pods' names: web-1.250m uses a quarter of a processor.
type byName struct{}

func (byName) Containers(_, pod string) (map[string]corev1.ResourceList, time.Time, time.Duration, bool) {
	_, cpu, ok := strings.Cut(pod, ".")
	if !ok {
		return nil, time.Time{}, 0, false
	}
	used := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("64Mi")}
	return map[string]corev1.ResourceList{"c": used}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 5 * time.Second, true
}

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{horizontalpodautoscaler.New(kinds.Builtin(), byName{}, horizontalpodautoscaler.DefaultDownWindow)}
	})
}
