package patch

import (
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"proa/kinds/resource"
)

// Fields keeps metadata.managedFields: which manager owns which field of an object (KEP-555).
//
// Apply patches, and writes that Update has no plan for, need the schemas of client-go; they are text, and parsed when the
// first such write comes.
type Fields struct {
	scheme    *runtime.Scheme
	converter func() (managedfields.TypeConverter, error)

	plans sync.Map // *resource.Resource -> *plan

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
	f := &Fields{scheme: scheme}
	f.converter = sync.OnceValues(func() (managedfields.TypeConverter, error) { return NewConverter(scheme) })
	f.mu.planner = newPlanner()
	f.mu.managers = map[managerKey]*managedfields.FieldManager{}
	return f
}

// updateSlowly is Update upstream's way.
func (f *Fields) updateSlowly(r *resource.Resource, subresource string, live, obj resource.Object, manager string) error {
	m, err := f.manager(r, subresource)
	if err != nil {
		return err
	}
	if r.Custom == nil && live.GetObjectKind().GroupVersionKind().Empty() {
		live.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
	}
	m.UpdateNoErrors(live, obj, manager)
	return nil
}

// manager is upstream's keeper for one kind and subresource.
func (f *Fields) manager(r *resource.Resource, subresource string) (*managedfields.FieldManager, error) {
	if r.Custom != nil {
		return customManager(r, subresource)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := managerKey{r.GroupVersionKind(), subresource}
	if m := f.mu.managers[key]; m != nil {
		return m, nil
	}
	converter, err := f.converter()
	if err != nil {
		return nil, err
	}
	same := sameVersion{r}
	m, err := managedfields.NewDefaultFieldManager(converter, same, same, same, key.kind, key.kind.GroupVersion(), subresource, resetFields(r, subresource))
	if err != nil {
		return nil, fmt.Errorf("keep fields of %s: %w", key.kind, err)
	}
	f.mu.managers[key] = m
	return m, nil
}

// resetFields are the fields that a request cannot change, and so cannot own: the status through the object, and all
// but the status through the status.
func resetFields(r *resource.Resource, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	version := fieldpath.APIVersion(r.GroupVersionKind().GroupVersion().String())
	if r.Reset != nil {
		reset := fieldpath.NewSet()
		for _, path := range r.Reset[subresource] {
			var at fieldpath.Path
			for _, name := range strings.Split(path, ".") {
				at = append(at, fieldpath.PathElement{FieldName: &name})
			}
			reset.Insert(at)
		}
		return map[fieldpath.APIVersion]fieldpath.Filter{version: fieldpath.NewExcludeSetFilter(reset)}
	}
	switch {
	case subresource == "status":
		return map[fieldpath.APIVersion]fieldpath.Filter{version: fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("spec")))}
	case subresource == "" && r.Status != nil:
		return map[fieldpath.APIVersion]fieldpath.Filter{version: fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("status")))}
	}
	return nil
}

// sameVersion converts between the one version there is, for upstream's keeper.
type sameVersion struct{ resource *resource.Resource }

func (s sameVersion) New(schema.GroupVersionKind) (runtime.Object, error) {
	obj := s.resource.New()
	obj.GetObjectKind().SetGroupVersionKind(s.resource.GroupVersionKind())
	return obj, nil
}

func (s sameVersion) Default(runtime.Object) {} // the verbs do

func (s sameVersion) Convert(in, out, _ any) error {
	return fmt.Errorf("convert %T to %T: not the same version", in, out)
}

func (s sameVersion) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (s sameVersion) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
