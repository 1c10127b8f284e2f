package encode

import (
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

func (p Responder) listPartial(w http.ResponseWriter, l *List) error {
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
