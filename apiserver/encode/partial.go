package encode

import (
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/resource"
)

func partial(obj resource.Object, version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: metav1.GroupName + "/" + version},
		ObjectMeta: metaOf(obj),
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
		Items:    make([]metav1.PartialObjectMetadata, 0, len(l.Items)),
	}
	for _, item := range l.Items {
		obj, err := l.Version.Object(item)
		if err != nil {
			return err
		}
		one := partial(obj, p.Accept.Version)
		one.ResourceVersion = FormatRevision(item.Revision)
		list.Items = append(list.Items, *one)
	}
	return p.Body(w, http.StatusOK, list)
}
