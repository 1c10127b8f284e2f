package patch

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// maxUpdaters is the number of managers beyond which upstream joins the oldest.
const maxUpdaters = 10

// Update makes manager the owner of what obj changes of old (nil: of all that obj sets), and takes from the others what
// changed or is gone. old is shared; obj is changed.
//
// Upstream's keeper does the same in ten times the time, for it compares schemas and JSON values with every write. Here the
// comparison is planned once for each Go type; what the plan does not cover goes upstream's way (TestUpdateLikeUpstream).
func (f *Fields) Update(v *encode.Version, subresource string, old, obj resource.Object, manager string, now time.Time) error {
	r := v.Resource
	gvk := r.GroupVersionKind()
	if r.Custom != nil {
		live := old
		if live == nil {
			live = r.New()
		}
		if err := f.updateSlowly(v, subresource, live, obj, manager); err != nil {
			return err
		}
		stampOwners(obj, live, now)
		return nil
	}
	obj.GetObjectKind().SetGroupVersionKind(gvk)
	p, err := f.planOf(r)
	if err != nil || r.Reset != nil || v.OwnFields() && v.Kind != gvk {
		return f.updateSlowly(v, subresource, old, obj, manager)
	}
	live := old
	if live == nil {
		live = p.empty
	}
	u := update{manager: manager, version: gvk.GroupVersion().String(), subresource: subresource, now: now}
	u.entries = startingOwners(live, obj, subresource)
	slowly := len(r.Served) > 0 && u.ownsOtherwise(r)
	if !slowly {
		u.diff.object(p.plan, reflect.ValueOf(live).Elem(), reflect.ValueOf(obj).Elem(), skipped(r, subresource))
		slowly = u.diff.unsure || u.settle() != nil || u.updaters() > maxUpdaters
	}
	if slowly {
		return f.updateSlowly(v, subresource, old, obj, manager)
	}
	if len(u.entries) == 0 {
		u.entries = nil
	}
	obj.SetManagedFields(u.entries)
	return nil
}

// startingOwners are the entries that the write begins with: the client's, or those that are stored if it sends none.
func startingOwners(live, obj resource.Object, subresource string) []metav1.ManagedFieldsEntry {
	entries := obj.GetManagedFields()
	switch {
	case subresource != "":
		entries = live.GetManagedFields()
	case entries != nil && (len(entries) == 0 || len(entries) == 1 && reflect.DeepEqual(entries[0], metav1.ManagedFieldsEntry{})):
		return nil
	case !slices.EqualFunc(entries, live.GetManagedFields(), sameEntry) && !readable(entries): // what is stored is readable
		entries = live.GetManagedFields()
	}
	return slices.Clone(entries)
}

func sameEntry(a, b metav1.ManagedFieldsEntry) bool {
	return a.Operation == b.Operation && a.APIVersion == b.APIVersion && a.FieldsType == b.FieldsType && a.FieldsV1 != nil && b.FieldsV1 != nil && bytes.Equal(a.FieldsV1.Raw, b.FieldsV1.Raw)
}

// readable says whether a client's entries can be used; if not, those that are stored stay.
func readable(entries []metav1.ManagedFieldsEntry) bool {
	for _, e := range entries {
		if e.Operation != metav1.ManagedFieldsOperationApply && e.Operation != metav1.ManagedFieldsOperationUpdate || e.APIVersion == "" || e.FieldsType != "FieldsV1" {
			return false
		}
		if e.FieldsV1 != nil {
			if _, err := parseSet(e.FieldsV1.Raw); err != nil {
				return false
			}
		}
	}
	return entries != nil
}

// skipped are the parts of an object that a request cannot change: the status through the object, all but the status
// through the status.
func skipped(r *resource.Resource, subresource string) func(string) bool {
	part := ""
	switch {
	case subresource == "status":
		part = "f:spec"
	case subresource == "" && r.Status != nil:
		part = "f:status"
	}
	return func(step string) bool { return step == "f:kind" || step == "f:apiVersion" || step == part }
}

// update is one write's effect on who owns what.
type update struct {
	manager, version, subresource string
	now                           time.Time
	diff                          differ
	entries                       []metav1.ManagedFieldsEntry
}

func (u *update) mine(e *metav1.ManagedFieldsEntry) bool {
	return e.Manager == u.manager && e.Operation == metav1.ManagedFieldsOperationUpdate && e.APIVersion == u.version && e.Subresource == u.subresource
}

// ownsOtherwise: somebody owns fields as another version of the kind has them.
func (u *update) ownsOtherwise(r *resource.Resource) bool {
	for i := range r.Served {
		s := &r.Served[i]
		if s.Deprecated != "" { // see encode.Owned
			continue
		}
		version := s.Group + "/" + s.Version
		if slices.ContainsFunc(u.entries, func(e metav1.ManagedFieldsEntry) bool { return e.APIVersion == version }) {
			return true
		}
	}
	return false
}

func (u *update) updaters() (n int) {
	for i := range u.entries {
		if u.entries[i].Operation == metav1.ManagedFieldsOperationUpdate {
			n++
		}
	}
	return n
}

// settle brings the entries in line with the difference.
func (u *update) settle() error {
	changed, removed := &u.diff.changed, &u.diff.removed
	if changed.empty() && removed.empty() {
		return nil
	}
	kept := u.entries[:0]
	owned := false
	for _, e := range u.entries {
		if e.FieldsV1 == nil || e.FieldsType != "FieldsV1" {
			return errFields
		}
		mine := u.mine(&e)
		stays, err := u.stays(e.FieldsV1.Raw, mine)
		if err != nil {
			return err
		}
		if stays {
			if mine && !changed.empty() {
				owned, e.Time = true, u.time()
			}
			kept = append(kept, e)
			continue
		}
		fields, err := parseSet(e.FieldsV1.Raw)
		if err != nil {
			return err
		}
		touched := fields.remove(removed)
		if mine {
			owned = true
			if !changed.empty() {
				fields.add(changed)
				e.Time, touched = u.time(), true
			}
		} else if fields.remove(changed) {
			touched = true
		}
		if touched {
			e.FieldsV1 = &metav1.FieldsV1{Raw: fields.appendJSON(nil)}
		}
		if !fields.empty() {
			kept = append(kept, e)
		}
	}
	if !owned && !changed.empty() {
		kept = append(kept, metav1.ManagedFieldsEntry{Manager: u.manager, Operation: metav1.ManagedFieldsOperationUpdate,
			APIVersion: u.version, Time: u.time(), FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: changed.appendJSON(nil)}, Subresource: u.subresource})
	}
	slices.SortFunc(kept, compareOwners)
	u.entries = kept
	return nil
}

// stays says whether the write leaves the paths of an entry as they are.
func (u *update) stays(fields []byte, mine bool) (bool, error) {
	removed, err := u.diff.removed.common(fields)
	if err != nil || removed > 0 {
		return false, err
	}
	changed, err := u.diff.changed.common(fields)
	if err != nil {
		return false, err
	}
	if mine {
		return changed == u.diff.changed.size(), nil
	}
	return changed == 0 && len(fields) > len("{}"), nil
}

func (u *update) time() *metav1.Time {
	t := metav1.NewTime(u.now.UTC()).Rfc3339Copy()
	return &t
}

// compareOwners is the order of entries that clients see.
func compareOwners(a, b metav1.ManagedFieldsEntry) int {
	seconds := func(t *metav1.Time) int64 {
		if t == nil {
			return 0
		}
		return t.Unix()
	}
	for _, c := range []int{
		strings.Compare(string(a.Operation), string(b.Operation)),
		int(min(max(seconds(a.Time)-seconds(b.Time), -1), 1)),
		strings.Compare(a.Manager, b.Manager),
		strings.Compare(a.APIVersion, b.APIVersion),
		strings.Compare(a.Subresource, b.Subresource),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// kindPlan is the plan of a kind and an object of it that sets nothing.
type kindPlan struct {
	*plan
	empty resource.Object // shared
}

// planOf is the plan of a kind, worked out when the kind is first written.
func (f *Fields) planOf(r *resource.Resource) (*kindPlan, error) {
	if p, ok := f.plans.Load(r); ok {
		return p.(*kindPlan), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.mu.planner.plan(reflect.TypeOf(r.New()), "")
	if err != nil {
		f.mu.planner = newPlanner() // what it holds may be half done
		return nil, fmt.Errorf("plan fields of %s: %w", r.Table(), err)
	}
	k := &kindPlan{p, r.New()}
	f.plans.Store(r, k)
	return k, nil
}
