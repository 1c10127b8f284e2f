package encode

import (
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
	"proa/store"
)

// tableBuilder gathers rows of one resource.
type tableBuilder struct {
	metav1.Table
	resource *resource.Resource
}

// checkInclude refuses a word for what the rows of a table hold that is none.
func (p Responder) checkInclude() error {
	switch p.Include {
	case string(metav1.IncludeObject), string(metav1.IncludeNone), string(metav1.IncludeMetadata), "":
		return nil
	}
	return statusError(http.StatusBadRequest, metav1.StatusReasonBadRequest,
		fmt.Sprintf("Unable to convert to Table as requested: includeObject: Invalid value: %q: must be 'Metadata', 'Object', 'None', or empty", p.Include))
}

func newTable(r *resource.Resource, version string) *tableBuilder {
	t := &tableBuilder{resource: r}
	t.TypeMeta = metav1.TypeMeta{Kind: "Table", APIVersion: metav1.GroupName + "/" + version}
	for _, c := range columns(r) {
		t.ColumnDefinitions = append(t.ColumnDefinitions, metav1.TableColumnDefinition{
			Name: c.Name, Type: c.Type, Format: c.Format, Description: c.Description, Priority: c.Priority})
	}
	if !bare(r) {
		t.Rows = []metav1.TableRow{}
	}
	return t
}

// bare says that a table shows of objects only what all have. Upstream writes null for no rows there.
func bare(r *resource.Resource) bool {
	c := columns(r)
	return len(c) == 2 && c[1].Name == "Created At"
}

// columns of rows that name none.
func columns(r *resource.Resource) []resource.Column {
	if len(r.Columns) > 0 {
		return r.Columns
	}
	doc := metav1.ObjectMeta{}.SwaggerDoc()
	return []resource.Column{
		{Name: "Name", Type: "string", Format: "name", Description: doc["name"]},
		{Name: "Created At", Type: "date", Description: doc["creationTimestamp"]},
	}
}

// add appends the row of an object that the row's rules are for; shown is the same object in the version that was asked for.
func (t *tableBuilder) add(ruled, shown resource.Object, p Responder) error {
	row := metav1.TableRow{}
	if t.resource.Row != nil {
		row.Cells = resource.Cells(t.resource.Row(ruled), p.Now())
	} else {
		row.Cells = []any{ruled.GetName(), ruled.GetCreationTimestamp().UTC().Format("2006-01-02T15:04:05Z")}
	}
	switch p.Include {
	case string(metav1.IncludeObject):
		row.Object = runtime.RawExtension{Object: shown}
	case string(metav1.IncludeNone):
	case string(metav1.IncludeMetadata), "":
		row.Object = runtime.RawExtension{Object: partial(t.resource, ruled, p.Accept.Version)}
	}
	t.Rows = append(t.Rows, row)
	return nil
}

func (p Responder) listTable(w http.ResponseWriter, l *List) error {
	if err := p.checkInclude(); err != nil {
		return err
	}
	t := newTable(l.Version.Resource, p.Accept.Version)
	t.ListMeta = l.meta()
	for _, item := range l.Items {
		if err := t.addItem(l.Version, item, p); err != nil {
			return err
		}
	}
	return p.Body(w, http.StatusOK, &t.Table)
}

// addItem appends the row of a stored item.
func (t *tableBuilder) addItem(v *Version, item *store.Item, p Responder) error {
	shown, err := v.Object(item)
	if err != nil {
		return err
	}
	ruled, err := v.Ruled(item)
	if err != nil {
		return err
	}
	return t.add(ruled, shown, p)
}
