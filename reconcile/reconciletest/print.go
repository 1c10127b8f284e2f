package reconciletest

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"proa/client"
	"proa/client/fake"
)

// maxDetail is up to where the content of a new object is printed; a longer one is what show is for.
const maxDetail = 400

// print writes down what the controllers did.
func (p *player) print() {
	for _, a := range p.api.TakeLog() {
		a.Detail = shorten(a.Detail)
		switch {
		case a.Ref.Table == "events":
			p.printEvent(a)
			continue
		case a.Detail == "unchanged":
			p.out.WriteString("UNCHANGED ")
		case a.Verb == "create" && len(a.Detail) > maxDetail:
			a.Detail = ""
		}
		fmt.Fprintln(&p.out, a)
	}
}

func (p *player) printEvent(a fake.Action) {
	event, ok := client.Get[*corev1.Event](p.user.View(), "events", a.Ref.Namespace, a.Ref.Name)
	if !ok || a.Err != nil {
		fmt.Fprintln(&p.out, a)
		return
	}
	times := ""
	if event.Count > 1 {
		times = fmt.Sprintf(" (x%d)", event.Count)
	}
	fmt.Fprintf(&p.out, "  event %s %s %s %s%s: %s\n", event.Type, event.Reason,
		event.InvolvedObject.Kind, event.InvolvedObject.Name, times, event.Message)
}

// shorten makes conditions readable: {"type":"Ready","status":"True","reason":"R","message":"m"} becomes "Ready=True R: m".
func shorten(detail string) string {
	var value any
	if !strings.HasPrefix(detail, "{") || json.Unmarshal([]byte(detail), &value) != nil {
		return detail
	}
	out, err := json.Marshal(shortened(value))
	if err != nil {
		return detail
	}
	return string(out)
}

func shortened(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if v["type"] != nil && v["status"] != nil && v["lastTransitionTime"] != nil {
			return fmt.Sprintf("%v=%v %v: %v", v["type"], v["status"], v["reason"], v["message"])
		}
		for key := range v {
			v[key] = shortened(v[key])
		}
	case []any:
		for i := range v {
			v[i] = shortened(v[i])
		}
	}
	return value
}
