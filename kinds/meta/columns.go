package meta

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"proa/kinds/resource"
)

// Name is the first column of nearly every kind.
func Name() resource.Column {
	return resource.Column{Name: "Name", Type: "string", Format: "name", Description: objectMetaDoc("name")}
}

// Age is the column that Since fills.
func Age() resource.Column {
	return resource.Column{Name: "Age", Type: "string", Description: objectMetaDoc("creationTimestamp")}
}

// Column describes a column with text that kubectl get always shows.
func Column(name, description string) resource.Column {
	return resource.Column{Name: name, Type: "string", Description: description}
}

// Number describes a column with an integer that kubectl get always shows.
func Number(name, description string) resource.Column {
	return resource.Column{Name: name, Type: "integer", Description: description}
}

// Wide describes a column with text that kubectl get shows with -o wide only.
func Wide(name, description string) resource.Column {
	return resource.Column{Name: name, Type: "string", Description: description, Priority: 1}
}

// NameAndAge are the columns of kinds that show nothing else.
func NameAndAge() []resource.Column { return []resource.Column{Name(), Age()} }

// NameAndAgeRow fills NameAndAge.
func NameAndAgeRow(obj resource.Object) []any {
	return []any{obj.GetName(), Since(obj.GetCreationTimestamp())}
}

// Since is the cell that says how long ago something was: "5m", or "<unknown>" if it never was.
func Since(t metav1.Time) resource.Timed {
	return func(now time.Time) any {
		if t.IsZero() {
			return "<unknown>"
		}
		return duration.HumanDuration(now.Sub(t.Time))
	}
}

// SinceMicro is Since for a time with microseconds.
func SinceMicro(t metav1.MicroTime) resource.Timed { return Since(metav1.Time(t)) }

func objectMetaDoc(name string) string { return metav1.ObjectMeta{}.SwaggerDoc()[name] }

// NameAndCreated are the columns of kinds for which upstream has no printer of their own.
func NameAndCreated() []resource.Column {
	return []resource.Column{Name(), {Name: "Created At", Type: "date", Description: objectMetaDoc("creationTimestamp")}}
}

// NameAndCreatedRow fills NameAndCreated.
func NameAndCreatedRow(obj resource.Object) []any {
	return []any{obj.GetName(), obj.GetCreationTimestamp().UTC().Format(time.RFC3339)}
}

// Joined is a cell with at most three of the items, and how many more there are.
func Joined(items []string, empty string) string {
	const shown = 3
	text := strings.Join(items[:min(shown, len(items))], ",")
	switch {
	case text == "":
		return empty
	case len(items) > shown:
		return fmt.Sprintf("%s + %d more...", text, len(items)-shown)
	}
	return text
}
