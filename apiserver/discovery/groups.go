package discovery

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"proa/kinds"
	"proa/kinds/apiregistration"
	"proa/kinds/resource"
)

// group is one API group with its versions, the preferred one first.
type group struct {
	name     string
	versions []groupVersion
}

type groupVersion struct {
	name      string
	resources []metav1.APIResource // in the order of their names, a subresource after its resource
}

// groupsOf gathers what the rows serve, in the order of priorities.
func groupsOf(table *kinds.Table, doors []Door) []group {
	b := builder{index: map[schema.GroupVersion]*[]metav1.APIResource{}, doors: doors}
	for _, r := range table.Rows() {
		if r.Custom != nil {
			b.addCustom(r.Custom)
			continue
		}
		b.add(r, schema.GroupVersion{Group: r.Group, Version: r.Version}, r.Kind)
		for _, s := range r.Served {
			kind := s.Kind
			if kind == "" {
				kind = r.Kind
			}
			b.add(r, schema.GroupVersion{Group: s.Group, Version: s.Version}, kind)
		}
	}
	for _, d := range doors {
		if d.Resource == "" { // a resource with no row, such as bindings
			gv := schema.GroupVersion{Group: d.Group, Version: "v1"}
			*b.resources(gv) = append(*b.resources(gv), d.resource(d.Name, d.Namespaced))
		}
	}
	var groups []group
	for _, gv := range b.order {
		resources := *b.index[gv]
		sort.SliceStable(resources, func(i, j int) bool { return resources[i].Name < resources[j].Name })
		served := groupVersion{name: gv.Version, resources: resources}
		i := 0
		for i < len(groups) && groups[i].name != gv.Group {
			i++
		}
		if i == len(groups) {
			groups = append(groups, group{name: gv.Group})
		}
		groups[i].versions = append(groups[i].versions, served)
	}
	for i := range groups {
		sortVersions(&groups[i])
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.priority(0).Group, a.priority(0).Group), strings.Compare(a.name, b.name))
	})
	return groups
}

func (g *group) priority(i int) apiregistration.Priority {
	return apiregistration.PriorityOf(schema.GroupVersion{Group: g.name, Version: g.versions[i].name})
}

// sortVersions puts the version that clients shall use first.
func sortVersions(g *group) {
	rank := map[string]int32{}
	for i := range g.versions {
		rank[g.versions[i].name] = g.priority(i).Version
	}
	slices.SortStableFunc(g.versions, func(a, b groupVersion) int {
		return cmp.Or(cmp.Compare(rank[b.name], rank[a.name]), version.CompareKubeAwareVersionStrings(b.name, a.name))
	})
}

type builder struct {
	order []schema.GroupVersion
	index map[schema.GroupVersion]*[]metav1.APIResource
	doors []Door
}

func (b *builder) resources(gv schema.GroupVersion) *[]metav1.APIResource {
	if b.index[gv] == nil {
		b.index[gv] = new([]metav1.APIResource)
		b.order = append(b.order, gv)
	}
	return b.index[gv]
}

func (b *builder) add(r *resource.Resource, gv schema.GroupVersion, kind string) {
	verbs := r.Verbs
	if verbs == nil {
		verbs = resource.AllVerbs
	}
	list := b.resources(gv)
	main := metav1.APIResource{Name: r.Name, SingularName: r.Singular, Namespaced: r.Namespaced, Kind: kind, Verbs: sorted(verbs)}
	if slices.Contains(verbs, "watch") {
		main.StorageVersionHash = storageHash(r.Stored())
	}
	if gv.Group == r.Group || !b.deprecated(r, gv) { // a short name means the resource where it is today
		main.ShortNames, main.Categories = r.ShortNames, r.Categories
	}
	*list = append(*list, main)
	named := map[string]bool{}
	sub := func(s metav1.APIResource) {
		if named[s.Name] {
			return
		}
		named[s.Name] = true
		*list = append(*list, s)
	}
	if r.Status != nil {
		sub(subresource(r, r.Status, "status", kind))
	}
	if r.Scale != nil {
		sub(metav1.APIResource{Name: r.Name + "/scale", Namespaced: r.Namespaced, Kind: "Scale", Group: "autoscaling", Version: "v1",
			Verbs: []string{"get", "patch", "update"}})
	}
	for i := range r.Subresources {
		sub(subresource(r, &r.Subresources[i], r.Subresources[i].Name, kind))
	}
	for _, d := range b.doors {
		if d.Group == gv.Group && d.Resource == r.Name {
			sub(d.resource(r.Name+"/"+d.Name, r.Namespaced))
		}
	}
}

// addCustom adds the versions of a kind that users defined, if its names are its own by now.
func (b *builder) addCustom(c *resource.Custom) {
	if !c.Listed {
		return
	}
	for _, r := range c.Versions {
		b.add(r, schema.GroupVersion{Group: r.Group, Version: r.Version}, r.Kind)
	}
}

// storageHash tells clients whether two versions, or two servers, keep the same: it changes when the stored version does.
func storageHash(r *resource.Resource) string {
	sum := sha256.Sum256([]byte(r.Group + "/" + cmp.Or(r.HashedAs, r.Version) + "/" + r.Kind))
	return base64.StdEncoding.EncodeToString(sum[:8])
}

// deprecated says whether a resource is served under a group version for old clients only.
func (b *builder) deprecated(r *resource.Resource, gv schema.GroupVersion) bool {
	for _, s := range r.Served {
		if s.Group == gv.Group && s.Version == gv.Version {
			return s.Deprecated != ""
		}
	}
	return false
}

func subresource(r *resource.Resource, s *resource.Subresource, name, kind string) metav1.APIResource {
	out := metav1.APIResource{Name: r.Name + "/" + name, Namespaced: r.Namespaced, Kind: kind, Verbs: sorted(s.Verbs)}
	if len(s.Verbs) == 0 {
		out.Verbs = []string{"get", "patch", "update"}
	}
	if s.Body.Kind != "" {
		out.Kind, out.Group, out.Version = s.Body.Kind, s.Body.Group, s.Body.Version
	}
	return out
}

func (g *group) document() *metav1.APIGroup {
	out := &metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: g.name}
	for _, v := range g.versions {
		gv := schema.GroupVersion{Group: g.name, Version: v.name}
		out.Versions = append(out.Versions, metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: v.name})
	}
	out.PreferredVersion = out.Versions[0]
	return out
}

func (v *groupVersion) resourceList(groupName string) *metav1.APIResourceList {
	gv := schema.GroupVersion{Group: groupName, Version: v.name}
	list := &metav1.APIResourceList{GroupVersion: gv.String(), APIResources: v.resources}
	list.Kind = "APIResourceList"
	if groupName != "" {
		list.APIVersion = "v1" // upstream leaves it out for the core group
	}
	return list
}

func sorted(s []string) []string {
	out := append([]string(nil), s...)
	sort.Strings(out)
	return out
}
