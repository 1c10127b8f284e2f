package pebblelog

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"proa/store"
)

// TestGroup runs testdata/group: what is stored, the commits that meet in one group, and what becomes of each.
//
//	group
//	stored KEY@REVISION=DATA
//	commit OP [OP...]      an OP is KEY[@EXPECT]=DATA, or KEY[@EXPECT] deleted; EXPECT is a revision, absent or any
func TestGroup(t *testing.T) {
	datadriven.RunTest(t, "testdata/group", func(t *testing.T, d *datadriven.TestData) string {
		stored := map[store.Key]*store.Item{}
		var last store.Revision
		var out strings.Builder
		var g *group
		for line := range strings.Lines(d.Input) {
			fields := strings.Fields(line)
			switch fields[0] {
			case "stored":
				op := parseOp(t, fields[1])
				stored[op.Key] = store.NewItem(op.Key, op.Expect, 1, op.Data, nil, nil)
				last = max(last, op.Expect)
			case "commit":
				if g == nil {
					get := func(k store.Key) *store.Item { return stored[k] }
					g = newGroup(get, nil, last, time.Time{})
				}
				var ops []store.Op
				for _, f := range fields[1:] {
					ops = append(ops, parseOp(t, f))
				}
				if rev, err := g.add(ops); err != nil {
					fmt.Fprintln(&out, "refused:", err)
				} else {
					fmt.Fprintln(&out, "revision", rev)
				}
			}
		}
		printGroup(&out, g)
		return out.String()
	})
}

func parseOp(t *testing.T, s string) store.Op {
	head, data, ok := strings.Cut(s, "=")
	name, expect, _ := strings.Cut(head, "@")
	op := store.Op{Key: store.Key{Table: "pods", Namespace: "a", Name: name}, Delete: !ok, Relaxed: strings.HasPrefix(name, "lease")}
	if ok {
		op.Data = []byte(data)
	}
	switch expect {
	case "absent":
	case "any", "":
		op.Expect = store.Any
	default:
		n, err := strconv.Atoi(expect)
		if err != nil {
			t.Fatalf("parse op %q: %v", s, err)
		}
		op.Expect = store.Revision(n)
	}
	return op
}

func printGroup(out *strings.Builder, g *group) {
	show := func(i *store.Item) string {
		if i == nil {
			return "nothing"
		}
		return fmt.Sprintf("%s@%d=%s (since %d)", i.Key.Name, i.Revision, i.Data, i.Created)
	}
	for _, c := range g.commits {
		for _, e := range c.Events {
			r := rowOf(e, c.At)
			fmt.Fprintf(out, "%d: %s, was %s", c.Revision, show(e.Item), show(e.Prev))
			if r.deleted {
				fmt.Fprintf(out, ", deleted, data kept again: %t", !r.sameData)
			}
			out.WriteByte('\n')
		}
	}
	fmt.Fprintf(out, "relaxed: %t\n", g.relaxed)
}
