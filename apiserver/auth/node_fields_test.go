package auth_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
)

// Every field of a pod that names a secret or a config map lets the pod's node read it. The fields are found in the Go type, so
// that a release of the API that adds one fails here until podUses knows it.
func TestNodeSeesWhatEveryFieldNames(t *testing.T) {
	found := map[string]int{}
	for _, leaf := range stringFields(reflect.TypeOf(corev1.PodSpec{}), nil, "") {
		resource := ""
		switch {
		case strings.Contains(leaf.name, "Secret") && (strings.HasSuffix(leaf.name, ".Name") || strings.HasSuffix(leaf.name, ".SecretName")):
			resource = "secrets"
		case strings.Contains(leaf.name, "ConfigMap") && strings.HasSuffix(leaf.name, ".Name"):
			resource = "configmaps"
		default:
			continue
		}
		found[resource]++
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"}}
		setString(reflect.ValueOf(&pod.Spec).Elem(), leaf.path, "needle")
		pod.Spec.NodeName = "n1"
		s := newState(t)
		s.put(pod)
		a := auth.Attributes{User: auth.User{Name: "system:node:n1", Groups: []string{auth.GroupNodes}}, Verb: "get",
			Resource: resource, Namespace: "a", Name: "needle", IsResourceRequest: true}
		if allowed, _, _ := auth.NewAccess(s).Authorize(context.Background(), a); !allowed {
			t.Errorf("%s names one of %s that the node may not read", leaf.name, resource)
		}
	}
	if found["secrets"] < 15 || found["configmaps"] < 8 {
		t.Errorf("found only %v", found)
	}
}

type leafField struct {
	name string
	path []int
}

// stringFields lists all fields of kind string below a type, with the way there.
func stringFields(t reflect.Type, path []int, name string) []leafField {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return stringFields(t.Elem(), path, name)
	case reflect.String:
		return []leafField{{name, append([]int(nil), path...)}}
	case reflect.Struct:
		var all []leafField
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				all = append(all, stringFields(f.Type, append(path, i), name+"."+f.Name)...)
			}
		}
		return all
	}
	return nil
}

func setString(v reflect.Value, path []int, value string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		setString(v.Elem(), path, value)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setString(v.Index(0), path, value)
	case reflect.Struct:
		setString(v.Field(path[0]), path[1:], value)
	case reflect.String:
		v.SetString(value)
	}
}

// What a mirror pod may not draw from the API includes every such field too.
func TestMirrorPodsReferToNothing(t *testing.T) {
	s := newState(t)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "u"}}
	s.put(node)
	yes := true
	for _, leaf := range stringFields(reflect.TypeOf(corev1.PodSpec{}), nil, "") {
		if !strings.Contains(leaf.name, "Secret") && !strings.Contains(leaf.name, "ConfigMap") || !strings.HasSuffix(leaf.name, "Name") {
			continue
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n1", UID: "u", Controller: &yes}}}}
		setString(reflect.ValueOf(&pod.Spec).Elem(), leaf.path, "needle")
		pod.Spec.NodeName = "n1"
		w := auth.Write{User: auth.User{Name: "system:node:n1", Groups: []string{auth.GroupNodes}}, Verb: "create", Resource: "pods",
			Namespace: "a", Name: "p", Object: pod, Snapshot: s.Snapshot()}
		if err := auth.NewAccess(s).Restrict(context.Background(), w); err == nil {
			t.Errorf("a mirror pod may set %s", leaf.name)
		}
	}
}
