package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"proa/store"
)

// linearKeys are the keys that testLinearizable reads and writes; few, so that clients collide.
const linearKeys = 3

// linearState is the whole store as the model checker sees it.
type linearState struct {
	revision store.Revision
	cells    [linearKeys]cell
}

// cell is what is stored under one key; the zero cell is nothing.
type cell struct {
	revision store.Revision
	data     string
}

// linearInput is a commit of up to two ops, or a read of everything.
type linearInput struct {
	read bool
	ops  []linearOp
}

type linearOp struct {
	key    int
	expect store.Revision
	delete bool
	data   string
}

// linearOutput is what the store answered: a revision and for reads all cells, or why not.
type linearOutput struct {
	revision store.Revision
	cells    [linearKeys]cell
	err      error
}

// linearModel is the sequential specification. Revisions are part of it: each commit takes the next one, a read says which
// it is at. That makes the check quick, and stricter than values alone would.
var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(linearState), input.(linearInput), output.(linearOutput)
		if in.read {
			return out.revision == s.revision && out.cells == s.cells, s
		}
		next, err := s.commit(in.ops)
		if err != nil || out.err != nil {
			return errors.Is(out.err, err), s
		}
		return out.revision == next.revision, next
	},
	Equal: func(a, b any) bool { return a.(linearState) == b.(linearState) },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

func (s linearState) commit(ops []linearOp) (linearState, error) {
	next := s
	next.revision++
	for _, op := range ops {
		found := s.cells[op.key]
		switch {
		case op.expect == store.Absent && found.revision != 0:
			return s, store.ErrExists
		case op.expect > 0 && found.revision == 0, op.delete && found.revision == 0:
			return s, store.ErrNotFound
		case op.expect > 0 && found.revision != op.expect:
			return s, store.ErrConflict
		}
		next.cells[op.key] = cell{revision: next.revision, data: op.data}
		if op.delete {
			next.cells[op.key] = cell{}
		}
	}
	return next, nil
}

// linearClient does random operations and remembers how they went.
type linearClient struct {
	id      int
	store   store.Store
	rand    *rand.Rand
	start   time.Time
	seen    [linearKeys]cell
	history []porcupine.Operation
}

func (c *linearClient) run(t *testing.T, count int) {
	for i := range count {
		in := linearInput{read: c.rand.IntN(3) == 0}
		if data := fmt.Sprint(c.id, "-", i); !in.read {
			in.ops = append(in.ops, c.op(c.rand.IntN(linearKeys), data))
			if second := c.op(c.rand.IntN(linearKeys), data); second.key != in.ops[0].key {
				in.ops = append(in.ops, second)
			}
		}
		call := time.Since(c.start)
		out := c.do(t, in)
		c.history = append(c.history, porcupine.Operation{
			ClientId: c.id, Input: in, Output: out, Call: int64(call), Return: int64(time.Since(c.start)),
		})
	}
}

// op expects most often what the client saw last, which others may have changed since.
func (c *linearClient) op(key int, data string) linearOp {
	o := linearOp{key: key, delete: c.rand.IntN(4) == 0, data: data}
	switch c.rand.IntN(4) {
	case 0:
		o.expect = store.Any
	case 1:
		o.expect = store.Absent
	default:
		o.expect = c.seen[key].revision
	}
	return o
}

func (c *linearClient) do(t *testing.T, in linearInput) (out linearOutput) {
	if in.read {
		snapshot := c.store.Snapshot()
		out.revision = snapshot.Revision()
		for i := range snapshot.List("pods", "", store.Key{}) {
			out.cells[i.Key.Name[0]-'0'] = cell{revision: i.Revision, data: string(i.Data)}
		}
		c.seen = out.cells
		return out
	}
	var ops []store.Op
	for _, o := range in.ops {
		op := put("pods", "a", fmt.Sprint(o.key), o.data)
		op.Expect, op.Delete, op.Relaxed = o.expect, o.delete, o.key == 0
		ops = append(ops, op)
	}
	out.revision, out.err = c.store.Commit(within(t), ops...)
	return out
}

func testLinearizable(t *testing.T, p Place) {
	s := open(t, p, Setup{})
	seed := Seed(t)
	start := time.Now()
	var clients []*linearClient
	var all sync.WaitGroup
	for id := range 6 {
		c := &linearClient{id: id, store: s, start: start, rand: rand.New(rand.NewPCG(seed.Uint64(), uint64(id)))}
		clients = append(clients, c)
		all.Go(func() { c.run(t, 200) })
	}
	all.Wait()
	var history []porcupine.Operation
	for _, c := range clients {
		history = append(history, c.history...)
	}
	if result := porcupine.CheckOperationsTimeout(linearModel, history, time.Minute); result != porcupine.Ok {
		t.Fatalf("history of %d operations is not linearizable: %s", len(history), result)
	}
}
