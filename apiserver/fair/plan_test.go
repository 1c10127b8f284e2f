package fair

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"sigs.k8s.io/yaml"

	"proa/apiserver/auth"
	"proa/kinds"
	"proa/kinds/flowcontrol"
)

// TestPlan plays testdata/plan. Commands:
//
//	plan seats=N [leaving=LEVEL]  the configuration that the objects make: the suggested ones, and those given as YAML
//	classify                      the schema and the level of each request: USER[,GROUP...] VERB RESOURCE[.GROUP[/SUB]] [NAMESPACE], or a path
//	borrow                        the seats of levels: NAME nominal least most seen smoothed [exempt]
//	retry                         what refused clients are told, at these seconds
func TestPlan(t *testing.T) {
	datadriven.Walk(t, "testdata/plan", func(t *testing.T, path string) {
		var last plan
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			switch d.Cmd {
			case "plan":
				last = planned(t, d)
				for _, l := range last.levels {
					fmt.Fprintf(&out, "%-16s nominal %d, from %d to %d, %s\n", l.object.Name, l.nominal, l.least, l.most, describe(&l))
				}
				for _, s := range last.schemas {
					fmt.Fprintf(&out, "%5d %s -> %s\n", s.Spec.MatchingPrecedence, s.Name, s.Spec.PriorityLevelConfiguration.Name)
				}
			case "classify":
				for line := range strings.Lines(d.Input) {
					c := classOf(classesOf(last), request(t, strings.TrimSpace(line)))
					fmt.Fprintf(&out, "%s: %s\n", strings.TrimSpace(line), c.schema.Name)
				}
			case "borrow":
				borrowed(t, d, &out)
			case "retry":
				var r retry
				for _, field := range strings.Fields(d.Input) {
					var second, times int64 = 0, 1
					if _, err := fmt.Sscanf(field+"x1", "%dx%d", &second, &times); err != nil {
						t.Fatal(err)
					}
					after := int64(0)
					for range times {
						after = r.refuse(second)
					}
					fmt.Fprintf(&out, "%s: %d\n", field, after)
				}
			}
			return out.String()
		})
	})
}

func describe(l *levelPlan) string {
	switch {
	case l.exempt:
		return "exempt"
	case l.queues == 0:
		return "refuses"
	}
	return fmt.Sprintf("%d queues of %d, %d to a flow, %d seats to a request", l.queues, l.length, l.hand, l.mostSeats)
}

func planned(t *testing.T, d *datadriven.TestData) plan {
	seats, leaving := 0, ""
	d.ScanArgs(t, "seats", &seats)
	d.MaybeScanArgs(t, "leaving", &leaving)
	levels, schemas := flowcontrol.SuggestedLevels(), flowcontrol.SuggestedSchemas()
	var gone []*flowcontrolv1.PriorityLevelConfiguration
	for i, l := range levels {
		if l.Name == leaving {
			gone, levels = append(gone, l), append(levels[:i:i], levels[i+1:]...)
			break
		}
	}
	for document := range strings.SplitSeq(d.Input, "---\n") {
		if strings.Contains(document, "kind: FlowSchema") {
			s := &flowcontrolv1.FlowSchema{}
			unmarshal(t, document, s)
			schemas = append(schemas, s)
		} else if document != "" {
			l := &flowcontrolv1.PriorityLevelConfiguration{}
			unmarshal(t, document, l)
			levels = append(levels, l)
		}
	}
	return planOf(seats, levels, gone, schemas)
}

func unmarshal(t *testing.T, document string, obj any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(document), obj); err != nil {
		t.Fatal(err)
	}
	for _, r := range kinds.Builtin().Rows() {
		switch o := obj.(type) {
		case *flowcontrolv1.FlowSchema:
			if r.Kind == "FlowSchema" {
				r.Default(o)
			}
		case *flowcontrolv1.PriorityLevelConfiguration:
			if r.Kind == "PriorityLevelConfiguration" {
				r.Default(o)
			}
		}
	}
}

func classesOf(p plan) []*class {
	var all []*class
	for _, s := range p.schemas {
		all = append(all, &class{schema: s})
	}
	return all
}

func request(t *testing.T, line string) *Request {
	t.Helper()
	words := strings.Fields(line)
	if len(words) < 3 {
		t.Fatalf("request %q", line)
	}
	names := strings.Split(words[0], ",")
	q := &Request{User: auth.User{Name: names[0], Groups: names[1:]}, Verb: words[1], Path: words[2]}
	if !strings.HasPrefix(words[2], "/") {
		q.IsResource = true
		resource, sub, _ := strings.Cut(words[2], "/")
		q.Resource, q.Group, _ = strings.Cut(resource, ".")
		q.Subresource = sub
	}
	if len(words) > 3 {
		q.Namespace = words[3]
	}
	return q
}

func borrowed(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	var levels []wish
	var names []string
	for line := range strings.Lines(d.Input) {
		var name string
		w := wish{exempt: strings.HasSuffix(strings.TrimSpace(line), "exempt")}
		if _, err := fmt.Sscan(line, &name, &w.nominal, &w.least, &w.most, &w.seen, &w.smoothed); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		levels, names = append(levels, w), append(names, name)
	}
	for i, seats := range borrow(levels) {
		fmt.Fprintf(out, "%s: %d\n", names[i], seats)
	}
}

// TestDemandFollows: what a level wants is followed up at once, and down in minutes.
func TestDemandFollows(t *testing.T) {
	var d demand
	d.set(0, 10)
	d.set(5*time.Second, 0)
	seen := d.reset(10 * time.Second)
	if got := fmt.Sprintf("%.1f %.1f %d %v", seen.average, seen.deviation, seen.most, seen.lasted); got != "5.0 5.0 10 10s" {
		t.Errorf("got %s", got)
	}
	smoothed := smooth(0, seen)
	if smoothed != 10 {
		t.Errorf("wants %v at once", smoothed)
	}
	for range 30 { // five minutes of nothing
		smoothed = smooth(smoothed, look{lasted: borrowPeriod})
	}
	if smoothed < 4.9 || smoothed > 5.1 {
		t.Errorf("after five minutes it wants %v, not the half", smoothed)
	}
}
