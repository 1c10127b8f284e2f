package patch

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// Fields keeps metadata.managedFields: which manager owns which field of an object (KEP-555).
//
// Apply patches, and writes that Update has no plan for, need the schemas of client-go; they are text, and parsed when the
// first such write comes.
type Fields struct {
	scheme    *runtime.Scheme
	converter func() (managedfields.TypeConverter, error)

	plans sync.Map // *resource.Resource -> *kindPlan

	mu struct {
		sync.Mutex
		planner  planner // kinds share the plans of their parts
		managers map[managerKey]*managedfields.FieldManager
	}
}

type managerKey struct {
	kind        schema.GroupVersionKind
	subresource string
}

// NewFields makes the keeper of field ownership for the types of a scheme.
func NewFields(scheme *runtime.Scheme) *Fields {
	limitCopies()
	f := &Fields{scheme: scheme}
	f.converter = sync.OnceValues(func() (managedfields.TypeConverter, error) { return NewConverter(scheme) })
	f.mu.planner = newPlanner()
	f.mu.managers = map[managerKey]*managedfields.FieldManager{}
	return f
}

// updateSlowly is Update upstream's way. live may be nil.
func (f *Fields) updateSlowly(v *encode.Version, subresource string, live, obj resource.Object, manager string) error {
	m, err := f.manager(v, subresource)
	if err != nil {
		return err
	}
	if live == nil {
		live = v.Resource.New()
	}
	if v.Resource.Custom == nil && live.GetObjectKind().GroupVersionKind().Empty() {
		live.GetObjectKind().SetGroupVersionKind(v.Resource.GroupVersionKind())
	}
	m.UpdateNoErrors(live, obj, manager)
	return nil
}

// manager is upstream's keeper for one version of a kind and subresource.
func (f *Fields) manager(v *encode.Version, subresource string) (*managedfields.FieldManager, error) {
	if v.Resource.Custom != nil {
		return customManager(v.Resource, subresource)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, kind := v.Resource, v.Kind
	if !v.OwnFields() {
		kind = r.GroupVersionKind()
	}
	key := managerKey{kind, subresource}
	if m := f.mu.managers[key]; m != nil {
		return m, nil
	}
	converter, err := f.converter()
	if err != nil {
		return nil, err
	}
	versions := versions{encode.Owned(r)}
	m, err := managedfields.NewDefaultFieldManager(groupTypes{converter, kind.Group}, versions, versions, versions, kind, r.GroupVersionKind().GroupVersion(), subresource, ownable(r, subresource))
	if err != nil {
		return nil, fmt.Errorf("keep fields of %s: %w", kind, err)
	}
	f.mu.managers[key] = m
	return m, nil
}

// groupTypes are the types of one API group. Upstream knows no others where it keeps ownership, so that who owns fields as the
// other group of events has them owns none from the next write on.
type groupTypes struct {
	managedfields.TypeConverter
	group string
}

// ObjectToTyped implements managedfields.TypeConverter.
func (t groupTypes) ObjectToTyped(obj runtime.Object, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	if gvk := obj.GetObjectKind().GroupVersionKind(); gvk.Group != t.group {
		return nil, runtime.NewNotRegisteredErrForKind("proa", gvk)
	}
	return t.TypeConverter.ObjectToTyped(obj, options...)
}

// ownable lets through the fields of each version that a request can own.
func ownable(r *resource.Resource, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	paths := resetPaths(r, subresource)
	if paths == nil {
		return nil
	}
	reset := fieldpath.NewSet()
	for _, path := range paths {
		reset.Insert(fieldPath(path))
	}
	filters := map[fieldpath.APIVersion]fieldpath.Filter{}
	for _, v := range encode.Owned(r) {
		filters[fieldpath.APIVersion(v.Kind.GroupVersion().String())] = fieldpath.NewExcludeSetFilter(reset)
	}
	return filters
}

var theStatus, theSpec = []string{"status"}, []string{"spec"}

// resetPaths are the fields that a request cannot change, and so cannot own.
func resetPaths(r *resource.Resource, subresource string) []string {
	if paths, own := r.Reset[subresource]; own {
		return paths
	}
	switch {
	case subresource == "status":
		return theSpec
	case subresource == "" && r.Status != nil:
		return theStatus
	}
	return nil
}

// versions converts between the versions of a kind, for upstream's keeper.
type versions struct{ all []*encode.Version } // the stored one first

func (s versions) of(gv schema.GroupVersion) (*encode.Version, error) {
	for _, v := range s.all {
		if v.Kind.GroupVersion() == gv {
			return v, nil
		}
	}
	return nil, runtime.NewNotRegisteredErrForKind("proa", gv.WithKind(s.all[0].Kind.Kind)) // the manager's fields are left alone
}

func (s versions) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	v, err := s.of(gvk.GroupVersion())
	if err != nil {
		return nil, err
	}
	obj := v.New()
	obj.GetObjectKind().SetGroupVersionKind(v.Kind)
	return obj, nil
}

func (s versions) Default(runtime.Object) {} // the verbs do

func (s versions) Convert(in, out, _ any) error {
	return fmt.Errorf("convert %T to %T: objects are converted whole", in, out)
}

// ConvertToVersion gives back in itself if it is an object of the version already. A tree, which is what was merged, becomes
// an object first, so that what does not fit its type is found where upstream finds it.
func (s versions) ConvertToVersion(in runtime.Object, target runtime.GroupVersioner) (runtime.Object, error) {
	have := in.GetObjectKind().GroupVersionKind()
	want, ok := target.(schema.GroupVersion) // the keeper's own, which may be of another group
	if !ok {
		return nil, fmt.Errorf("convert %s: not to %v", have, target)
	}
	obj, isObject := in.(resource.Object)
	u, isTree := in.(*unstructured.Unstructured)
	if have.GroupVersion() == want && !isTree {
		return in, nil
	}
	from, err := s.of(have.GroupVersion())
	if err != nil {
		return nil, err
	}
	if isTree {
		obj, isObject = from.New(), true
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, obj); err != nil {
			return nil, fmt.Errorf("unable to convert unstructured object to %s: %w", have, err)
		}
	}
	if !isObject {
		return nil, fmt.Errorf("convert %T: no object", in)
	}
	if have.GroupVersion() == want {
		return obj, nil
	}
	to, err := s.of(want)
	if err != nil {
		return nil, err
	}
	stored, err := from.Convert(obj)
	if err != nil {
		return nil, err
	}
	return to.FromStored(stored)
}

func (s versions) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
