package encode

import (
	"fmt"
	"maps"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/resource"
)

// partial is the metadata of an object of the version that the row's rules are for: as upstream's, without annotations that
// only the conversion to a version makes.
func partial(r *resource.Resource, ruled resource.Object, version string) *metav1.PartialObjectMetadata {
	meta := metaOf(ruled)
	for _, name := range r.ConvertedAnnotations {
		if _, has := meta.Annotations[name]; has {
			meta.Annotations = maps.Clone(meta.Annotations)
			delete(meta.Annotations, name)
		}
	}
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: metav1.GroupName + "/" + version},
		ObjectMeta: meta,
	}
}

// noShape is the answer to who asks for the metadata of one object where there are many, or the other way round. Upstream
// names its own type of the object.
func (v *Version) noShape(asked, is, suffix string) error {
	name := packageOf(v.Resource.Group) + "." + v.Resource.Kind + suffix
	if v.Resource.Custom != nil {
		name = "unstructured.Unstructured" + suffix
	}
	return statusError(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
		fmt.Sprintf("you requested %s, but the requested object is %s (*%s)", asked, is, name))
}

func (p Responder) listPartial(w http.ResponseWriter, l *List) error {
	if !p.Accept.OfList {
		return l.Version.noShape("PartialObjectMetadata", "a list", "List")
	}
	list := &metav1.PartialObjectMetadataList{
		TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList", APIVersion: metav1.GroupName + "/" + p.Accept.Version},
		ListMeta: l.meta(),
	}
	if len(l.Items) > 0 { // upstream's list of none is null
		list.Items = make([]metav1.PartialObjectMetadata, 0, len(l.Items))
	}
	for _, item := range l.Items {
		ruled, err := l.Version.Ruled(item)
		if err != nil {
			return err
		}
		one := partial(l.Version.Resource, ruled, p.Accept.Version)
		one.ResourceVersion = FormatRevision(item.Revision)
		list.Items = append(list.Items, *one)
	}
	return p.Body(w, http.StatusOK, list)
}
