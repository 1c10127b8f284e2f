package patch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	"proa/apiserver/encode"
	"proa/kinds/resource"
)

var scaleKind = autoscalingv1.SchemeGroupVersion.WithKind("Scale")

// scales is the version by which patches of Scales are read.
var scales = encode.Stored(&resource.Resource{
	Group: scaleKind.Group, Version: scaleKind.Version, Kind: scaleKind.Kind,
	New: func() resource.Object { return &autoscalingv1.Scale{} },
})

// PatchScale is the Scale that an object is shown as with a patch, which is none that is applied. is is not changed.
func PatchScale(p *Patch, is *autoscalingv1.Scale) (*autoscalingv1.Scale, error) {
	own := *p
	own.Version = scales
	read := patchJSON
	if p.Kind == types.StrategicMergePatchType {
		read = patchStrategic
	}
	obj, err := read(&own, is)
	if err != nil {
		return nil, err
	}
	return obj.(*autoscalingv1.Scale), nil
}

// ApplyScale merges a configuration into the Scale that an object is shown as. It returns the Scale that is wanted, and who owns which of
// the object's fields then: who owns the replicas of a Scale owns those of its object, and the other way round.
// p.Version is that of the object.
func (f *Fields) ApplyScale(p *Patch, obj resource.Object, is *autoscalingv1.Scale, now time.Time) (*autoscalingv1.Scale, []metav1.ManagedFieldsEntry, error) {
	config := &unstructured.Unstructured{Object: map[string]any{}}
	body, err := yaml.YAMLToJSON(p.Body)
	if err == nil {
		err = json.Unmarshal(body, &config.Object)
	}
	if err != nil {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	m, err := f.scaleManager()
	if err != nil {
		return nil, nil, err
	}
	owners := managedfields.NewScaleHandler(obj.GetManagedFields(), p.Version.Kind.GroupVersion(), replicaPaths(p.Version.Resource))
	live := is.DeepCopy()
	if live.ManagedFields, err = owners.ToSubresource(); err != nil {
		return nil, nil, fmt.Errorf("find owners of replicas: %w", err)
	}
	merged, err := m.Apply(live, config, p.Manager, p.Force)
	if err != nil {
		return nil, nil, err
	}
	want, ok := merged.(*autoscalingv1.Scale)
	if !ok {
		return nil, nil, fmt.Errorf("apply: unexpected %T", merged)
	}
	if err := p.repeats(); err != nil {
		return nil, nil, err
	}
	entries, err := owners.ToParent(want.ManagedFields)
	if err != nil {
		return nil, nil, fmt.Errorf("note owners of replicas: %w", err)
	}
	want = want.DeepCopy() // it is live if nothing changed
	want.ManagedFields = nil
	return want, ownTimes(entries, obj.GetManagedFields(), now), nil
}

// ownTimes replaces times that upstream's keeper read from the machine's clock.
func ownTimes(entries, before []metav1.ManagedFieldsEntry, now time.Time) []metav1.ManagedFieldsEntry {
	for i := range entries {
		e := &entries[i]
		known := slices.ContainsFunc(before, func(was metav1.ManagedFieldsEntry) bool { return was.Manager == e.Manager && e.Time.Equal(was.Time) })
		if e.Time != nil && !known {
			e.Time = new(metav1.NewTime(now.UTC()).Rfc3339Copy())
		}
	}
	return entries
}

func (f *Fields) scaleManager() (*managedfields.FieldManager, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := managerKey{scaleKind, "scale"}
	if m := f.mu.managers[key]; m != nil {
		return m, nil
	}
	converter, err := f.converter()
	if err != nil {
		return nil, err
	}
	m, err := managedfields.NewDefaultFieldManager(converter, f.scheme, f.scheme, f.scheme, scaleKind, scaleKind.GroupVersion(), "scale", nil)
	if err != nil {
		return nil, fmt.Errorf("keep fields of %s: %w", scaleKind, err)
	}
	f.mu.managers[key] = m
	return m, nil
}

// replicaPaths says where each version of a kind has the replicas that a Scale shows.
func replicaPaths(r *resource.Resource) managedfields.ResourcePathMappings {
	paths := managedfields.ResourcePathMappings{}
	if r.Custom != nil {
		for _, version := range r.Custom.Versions {
			if version.Scale != nil {
				paths[version.GroupVersionKind().GroupVersion().String()] = fieldPath(version.Scale.SpecPath)
			}
		}
		return paths
	}
	for _, v := range encode.Owned(r) {
		paths[v.Kind.GroupVersion().String()] = fieldPath(r.Scale.SpecPath)
	}
	return paths
}

// fieldPath reads a path such as ".spec.replicas".
func fieldPath(text string) fieldpath.Path {
	var path fieldpath.Path
	for _, name := range strings.Split(strings.TrimPrefix(text, "."), ".") {
		path = append(path, fieldpath.PathElement{FieldName: &name})
	}
	return path
}
