package podspec_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"proa/kinds/podspec"
)

// A field whose name, or whose type's name, matches this may refer to another object.
var mayRefer = regexp.MustCompile(`(?i)secret|configmap|claimname|serviceaccountname`)

// notReferences are the fields that look like references and are none, each with the reason.
var notReferences = map[string]string{
	"Volumes[].CephFS.SecretFile": "a path on the node, not an object",
}

// TestReferencesAreComplete fills every string of a pod spec, one at a time, with a name, and asks for references. A
// field that looks like a reference and is not found lets a node read what it may not, or keeps it from what it needs
// (compare CVE-2023-2728, CVE-2024-3177).
func TestReferencesAreComplete(t *testing.T) {
	found := 0
	walkStrings(reflect.TypeOf(corev1.PodSpec{}), nil, func(path []int, name string) {
		if !isNameOfReference(name) || notReferences[name] != "" {
			return
		}
		pod := &corev1.Pod{}
		pod.Name = "pod"
		setString(reflect.ValueOf(&pod.Spec).Elem(), path, "wanted")
		var names []string
		for r := range podspec.References(pod) {
			names = append(names, r.Name)
		}
		if !slices.Contains(names, "wanted") {
			t.Errorf("PodSpec.%s looks like a reference, and References does not yield it. Add it there, or to notReferences with the reason.", name)
		}
		found++
	})
	// 3 container lists of 4 references each, and those of volumes and the pod: if the walk finds fewer it looks wrong.
	if found < 25 {
		t.Errorf("the walk found %d references only", found)
	}
}

// isNameOfReference: the string names an object, rather than a key or a path within it.
func isNameOfReference(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch last {
	case "Key", "Path", "Audience", "Prefix", "Namespace", "APIVersion", "FieldPath", "UID", "Items[]":
		return false
	}
	parts := strings.Split(name, ".")
	if last == "Name" || last == "LocalObjectReference" {
		// The name of a thing counts when the thing is a reference: SecretKeyRef.Name.
		return len(parts) > 1 && mayRefer.MatchString(parts[len(parts)-2]) && !strings.HasPrefix(parts[len(parts)-2], "VolumeClaimTemplate")
	}
	return mayRefer.MatchString(last)
}

// walkStrings calls visit for each string below a struct type, with the indexes to reach it and its name. Slices get one
// element, marked by -1; embedded structs leave no trace in the name.
func walkStrings(t reflect.Type, path []int, visit func(path []int, name string)) {
	walk(t, path, "", 0, visit)
}

const maxDepth = 12

func walk(t reflect.Type, path []int, name string, depth int, visit func([]int, string)) {
	if depth > maxDepth || t.PkgPath() != "" && !strings.HasPrefix(t.PkgPath(), "k8s.io/api/core") {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		walk(t.Elem(), path, name, depth+1, visit)
	case reflect.Slice:
		walk(t.Elem(), append(slices.Clone(path), -1), name+"[]", depth+1, visit)
	case reflect.String:
		visit(path, name)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			next := name
			if !f.Anonymous {
				next = strings.TrimPrefix(name+"."+f.Name, ".")
			}
			walk(f.Type, append(slices.Clone(path), i), next, depth+1, visit)
		}
	}
}

// setString makes what is missing on the way.
func setString(v reflect.Value, path []int, text string) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if len(path) == 0 {
		v.SetString(text)
		return
	}
	if path[0] < 0 {
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		setString(v.Index(0), path[1:], text)
		return
	}
	setString(v.Field(path[0]), path[1:], text)
}

func TestReferences(t *testing.T) {
	yes := true
	pod := &corev1.Pod{}
	pod.Name = "p"
	pod.Spec.ServiceAccountName = "robot"
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "hidden"}, Optional: &yes,
		}}},
	}}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}}
	got := fmt.Sprint(slices.Collect(podspec.References(pod)))
	want := fmt.Sprint([]podspec.Reference{
		{Kind: podspec.ServiceAccount, Name: "robot"},
		{Kind: podspec.Secret, Name: "hidden", Optional: true},
		{Kind: podspec.PersistentVolumeClaim, Name: "p-v"},
	})
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !podspec.Refers(pod, podspec.Secret, "hidden") || podspec.Refers(pod, podspec.ConfigMap, "hidden") {
		t.Error("Refers confuses kinds")
	}
}
