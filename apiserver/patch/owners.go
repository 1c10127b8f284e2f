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
	if v.Resource.Custom == nil {
		obj.GetObjectKind().SetGroupVersionKind(v.Resource.GroupVersionKind())
		u := update{manager: manager, version: v.Resource.GroupVersionKind().GroupVersion().String(), subresource: subresource, now: now}
		if f.updateQuickly(&u, v, old, obj) {
			return nil
		}
	}
	live := old
	if live == nil {
		live = v.Resource.New()
	}
	known := slices.Concat(live.GetManagedFields(), obj.GetManagedFields())
	if err := f.updateSlowly(v, subresource, live, obj, manager); err != nil {
		return err
	}
	stampOwners(obj, known, now)
	return nil
}

// updateQuickly does an update by the kind's plan; false: it cannot, and changed nothing.
func (f *Fields) updateQuickly(u *update, v *encode.Version, old, obj resource.Object) bool {
	r := v.Resource
	p, err := f.planOf(r)
	skip, plain := skipped(r, u.subresource)
	if err != nil || !plain || v.OwnFields() && v.Kind != r.GroupVersionKind() || p.keyless(obj, skip) {
		return false
	}
	live := old
	if live == nil {
		live = p.empty
	}
	entries, plain := startingOwners(live, obj, u.subresource)
	if !plain {
		return false
	}
	u.entries = lastOf(entries)
	if len(entries) == 0 && live.GetUID() != "" { // somebody cleared them: nobody owns fields from then on, as upstream has it
		obj.SetManagedFields(nil)
		return true
	}
	if len(r.Served) > 0 && u.ownsOtherwise(r) {
		return false
	}
	u.diff.object(p.plan, reflect.ValueOf(live).Elem(), reflect.ValueOf(obj).Elem(), skip)
	if u.diff.unsure || u.settle() != nil || u.updaters() > maxUpdaters {
		return false
	}
	if len(u.entries) == 0 {
		u.entries = nil
	}
	obj.SetManagedFields(u.entries)
	return true
}

// startingOwners are the entries that the write begins with: those that are stored, unless the client clears them. plain
// is false where it sends others.
func startingOwners(live, obj resource.Object, subresource string) (entries []metav1.ManagedFieldsEntry, plain bool) {
	stored, sent := live.GetManagedFields(), obj.GetManagedFields()
	switch {
	case subresource != "" || sent == nil:
		return slices.Clone(stored), true
	case len(sent) == 0 || len(sent) == 1 && reflect.DeepEqual(sent[0], metav1.ManagedFieldsEntry{}):
		return nil, true
	}
	return slices.Clone(stored), slices.EqualFunc(sent, stored, sameEntry)
}

// lastOf leaves the last of the entries that are of one manager, as upstream reads them. Who owned the replicas of an object
// through a Scale, and applied to another Scale, has two.
func lastOf(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	again := func(i int) bool {
		e := &entries[i]
		return slices.ContainsFunc(entries[i+1:], func(later metav1.ManagedFieldsEntry) bool {
			return later.Manager == e.Manager && later.Operation == e.Operation && later.APIVersion == e.APIVersion && later.Subresource == e.Subresource
		})
	}
	kept := entries[:0]
	for i := range entries {
		if !again(i) {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

// sameEntry says whether a client sends an entry as it is stored, whatever the spaces in it.
func sameEntry(sent, stored metav1.ManagedFieldsEntry) bool {
	if sent.Manager != stored.Manager || sent.Operation != stored.Operation || sent.APIVersion != stored.APIVersion || sent.Subresource != stored.Subresource ||
		sent.FieldsType != stored.FieldsType || !sent.Time.Equal(stored.Time) || sent.FieldsV1 == nil || stored.FieldsV1 == nil {
		return false
	}
	if bytes.Equal(sent.FieldsV1.Raw, stored.FieldsV1.Raw) {
		return true
	}
	fields, err := parseSet(sent.FieldsV1.Raw)
	return err == nil && bytes.Equal(fields.appendJSON(nil), stored.FieldsV1.Raw)
}

// skipped are the fields of an object, and of its metadata, that a request cannot own. plain is false where there are others.
func skipped(r *resource.Resource, subresource string) (skip func(under, step string) bool, plain bool) {
	paths := resetPaths(r, subresource)
	for _, path := range paths {
		if strings.Contains(strings.TrimPrefix(path, "metadata."), ".") {
			return nil, false
		}
	}
	return func(under, step string) bool {
		for _, path := range paths {
			if name, ok := strings.CutPrefix(path, under); ok && name == step[len("f:"):] {
				return true
			}
		}
		return under == "" && (step == "f:kind" || step == "f:apiVersion")
	}, true
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
	loose []*fieldPlan    // parts with lists whose elements may leave out all that names them
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
	k := &kindPlan{plan: p, empty: r.New()}
	for i := range p.fields {
		if field := &p.fields[i]; field.plan.loose(map[*plan]bool{}) {
			k.loose = append(k.loose, field)
		}
	}
	f.plans.Store(r, k)
	return k, nil
}
