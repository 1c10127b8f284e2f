package patch

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/apiserver/encode"
	"proa/kinds"
)

// TestPatchNamedLikeWhole patches what a patch names, and the whole, and compares.
func TestPatchNamedLikeWhole(t *testing.T) {
	at := metav1.NewTime(time.Unix(1700000000, 0))
	seconds := int64(30)
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default", UID: "u", ResourceVersion: "7", CreationTimestamp: at,
			Labels: map[string]string{"app": "web", "tier": "front"}, Finalizers: []string{"x/a", "x/b"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n", UID: "1"}}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &seconds, NodeSelector: map[string]string{"zone": "a"},
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &seconds},
			Volumes:         []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			Containers: []corev1.Container{
				{Name: "c", Image: "one", Ports: []corev1.ContainerPort{{ContainerPort: 80, Protocol: "TCP"}, {ContainerPort: 80, Protocol: "UDP"}},
					Env:            []corev1.EnvVar{{Name: "A", Value: "b"}},
					Resources:      corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": kresource.MustParse("100m")}},
					ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(80)}}}},
				{Name: "d", Image: "two"}},
		},
		Status: corev1.PodStatus{Phase: "Pending", StartTime: &at,
			Conditions: []corev1.PodCondition{{Type: "Ready", Status: "False", LastTransitionTime: at}, {Type: "PodScheduled", Status: "True"}}},
	}
	before := pod.DeepCopy()
	table := kinds.Builtin()
	f := NewFields(kinds.NewScheme())
	for i, c := range []struct {
		body                 string
		noStrategic, noMerge bool // the named fields do not do: the whole is patched
		refused              bool
	}{
		{body: `{}`},
		{body: `{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","reason":"R"}]}}`},
		{body: `{"metadata":{"labels":{"app":null,"new":"x"}}}`},
		{body: `{"metadata":{"labels":null,"annotations":{"a":"b"}}}`},
		{body: `{"metadata":{"finalizers":null}}`},
		{body: `{"metadata":{"finalizers":["x/c"],"$deleteFromPrimitiveList/finalizers":["x/a"]}}`, noMerge: true},
		{body: `{"metadata":{"ownerReferences":[{"uid":"2","kind":"Node","apiVersion":"v1","name":"m"}]}}`},
		{body: `{"spec":{"$setElementOrder/containers":[{"name":"d"},{"name":"c"}],"containers":[{"name":"c","image":"three"}]}}`, noMerge: true},
		{body: `{"spec":{"$setElementOrder/containers":[{"name":"d"},{"name":"c"}]}}`, noMerge: true},
		{body: `{"spec":{"containers":[{"$patch":"delete","name":"c"}]}}`, noMerge: true},
		{body: `{"spec":{"containers":[{"name":"c","ports":[{"containerPort":80,"name":"http"}]}]}}`},
		{body: `{"spec":{"volumes":[{"$retainKeys":["name","hostPath"],"name":"v","hostPath":{"path":"/x"}}]}}`, noMerge: true},
		{body: `{"spec":{"securityContext":{"$patch":"replace","fsGroup":5}}}`, noMerge: true},
		{body: `{"spec":{"securityContext":{"fsGroup":5,"runAsUser":null}}}`},
		{body: `{"spec":{"securityContext":null,"dnsConfig":{"options":[{"name":"ndots"}]}}}`},
		{body: `{"spec":{"affinity":{"nodeAffinity":{}},"nodeSelector":{"zone":"b"}}}`},
		{body: `{"spec":{"terminationGracePeriodSeconds":5,"activeDeadlineSeconds":7}}`},
		{body: `{"spec":{"terminationGracePeriodSeconds":5.0}}`, noMerge: true, refused: true},
		{body: `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"7","uid":"u","creationTimestamp":null}}`},
		{body: `{"spec":{"$deleteFromPrimitiveList/securityContext":["a"],"securityContext":{"fsGroup":5}}}`, noMerge: true},
		{body: `{"spec":null}`},
		{body: `{"status":{"$patch":"replace","phase":"Failed"}}`, noMerge: true},
		{body: `{"$patch":"replace","metadata":{"name":"a"}}`, noStrategic: true, noMerge: true, refused: true},
		{body: `{"kind":"Node"}`, noStrategic: true, noMerge: true, refused: true},
		{body: `{"spec":{"conteiners":[]}}`, noStrategic: true, noMerge: true},
		{body: `{"spec":{"containers":[{"name":"c","imgae":"x"}]}}`, noStrategic: true, noMerge: true},
		{body: `{"spec":{"securityContext":{"windowsOptions":{"gmsa":"x"}}}}`, noStrategic: true, noMerge: true},
		{body: `{"spec":{"containers":[{"name":"c","readinessProbe":{"httpGet":{"port":"http"}}}]}}`},
		{body: `{"spec":{"nodeName":"a","nodeName":"b"}}`, noStrategic: true, noMerge: true},
		{body: `{"spec":"text"}`, noStrategic: true, noMerge: true, refused: true},
		{body: `[]`, noStrategic: true, noMerge: true, refused: true},
	} {
		for _, kind := range slices.Repeat([]types.PatchType{types.StrategicMergePatchType, types.MergePatchType}, 8) { // maps have several orders
			p := &Patch{Kind: kind, Body: []byte(c.body), Version: encode.Stored(table.ByTable("pods")), Warn: func(string) {}}
			named, gone := f.patchNamed(p, pod), c.noMerge
			whole, err := patchJSON(p, pod)
			if kind == types.StrategicMergePatchType {
				whole, err = patchStrategic(p, pod)
				gone = c.noStrategic
			}
			if (named == nil) != gone {
				t.Errorf("%d %s %s: by names: %v, want none: %v", i, kind, c.body, named, gone)
			}
			if named == nil {
				if err != nil && !c.refused {
					t.Errorf("%d %s %s: %v", i, kind, c.body, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%d %s %s: the whole says %v", i, kind, c.body, err)
				continue
			}
			if !equality.Semantic.DeepEqual(named, whole) {
				t.Errorf("%d %s %s:\n got %+v\nwant %+v", i, kind, c.body, named, whole)
			}
		}
	}
	if !equality.Semantic.DeepEqual(pod, before) {
		t.Errorf("a patch changed the stored object: %+v", pod)
	}
}
