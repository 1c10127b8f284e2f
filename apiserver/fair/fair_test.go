package fair_test

import (
	"context"
	"testing"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/apiserver/fair"
	"proa/kinds"
	"proa/kinds/flowcontrol"
	"proa/kinds/resource"
	"proa/store"
	"proa/store/storetest"
)

// place is a dispatcher over a store, with a clock that stands still.
type place struct {
	*fair.Dispatcher
	t     testing.TB
	store store.Store
	clock *clocktesting.FakeClock
}

func newPlace(t testing.TB, seats int, objects ...resource.Object) *place {
	p := &place{t: t, store: storetest.New(t, encode.Decoder(kinds.Builtin())), clock: clocktesting.NewFakeClock(time.Unix(1000, 0))}
	for _, obj := range objects {
		p.write(obj, false)
	}
	var err error
	p.Dispatcher, err = fair.New(fair.Config{Source: p.store, Clock: p.clock, Seats: seats})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// write stores an object, or removes it.
func (p *place) write(obj resource.Object, remove bool) {
	p.t.Helper()
	table, kind := "flowschemas."+flowcontrolv1.GroupName, "FlowSchema"
	if _, ok := obj.(*flowcontrolv1.PriorityLevelConfiguration); ok {
		table, kind = "prioritylevelconfigurations."+flowcontrolv1.GroupName, "PriorityLevelConfiguration"
	}
	obj.SetUID(types.UID("uid-of-" + obj.GetName()))
	obj.GetObjectKind().SetGroupVersionKind(flowcontrolv1.SchemeGroupVersion.WithKind(kind))
	data, err := encode.ToStore(obj)
	if err != nil {
		p.t.Fatal(err)
	}
	op := store.Op{Key: store.Key{Table: table, Name: obj.GetName()}, Expect: store.Any, Delete: remove, Data: data}
	if remove {
		op.Data = nil
	}
	if _, err := p.store.Commit(context.Background(), op); err != nil {
		p.t.Fatal(err)
	}
}

func suggested() []resource.Object {
	var all []resource.Object
	for _, l := range flowcontrol.SuggestedLevels() {
		all = append(all, l)
	}
	for _, s := range flowcontrol.SuggestedSchemas() {
		all = append(all, s)
	}
	return all
}

// narrow is a level with one seat and one queue for everybody, and the schema that leads there.
func narrow(length int32) []resource.Object {
	level := &flowcontrolv1.PriorityLevelConfiguration{}
	level.Name = "narrow"
	level.Spec = flowcontrolv1.PriorityLevelConfigurationSpec{Type: flowcontrolv1.PriorityLevelEnablementLimited, Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
		NominalConcurrencyShares: new(int32(1)), LendablePercent: new(int32(0)), BorrowingLimitPercent: new(int32(0)),
		LimitResponse: flowcontrolv1.LimitResponse{Type: flowcontrolv1.LimitResponseTypeQueue, Queuing: &flowcontrolv1.QueuingConfiguration{Queues: 1, HandSize: 1, QueueLengthLimit: length}}}}
	schema := flowcontrol.MandatorySchemas()[1]
	schema.Name, schema.Spec.MatchingPrecedence, schema.Spec.PriorityLevelConfiguration.Name = "narrow", 100, "narrow"
	return []resource.Object{level, schema}
}

var eve = fair.Request{User: auth.User{Name: "eve", Groups: []string{"system:authenticated"}}, Verb: "get", Resource: "pods", Namespace: "a", Name: "p", IsResource: true}

type outcome struct {
	ticket fair.Ticket
	ok     bool
}

// start asks for a turn elsewhere.
func (p *place) start(ctx context.Context) <-chan outcome {
	got := make(chan outcome, 1)
	go func() {
		t, ok := p.Start(ctx, &eve)
		got <- outcome{t, ok}
	}()
	return got
}

// waiting returns when so many requests wait.
func (p *place) waiting(want float64) {
	p.t.Helper()
	for { // ends: who asks is on its way into the queue
		for _, f := range p.Measures() {
			if f.Name != "apiserver_flowcontrol_current_inqueue_requests" {
				continue
			}
			sum := 0.0
			for _, s := range f.Samples {
				sum += s.Value
			}
			if sum == want {
				return
			}
		}
		select {
		case <-p.t.Context().Done():
			p.t.Fatal("nobody waits")
		default:
		}
	}
}

func TestOneAfterTheOther(t *testing.T) {
	p := newPlace(t, 1, narrow(2)...)
	ctx := context.Background()
	first, ok := p.Start(ctx, &eve)
	if !ok {
		t.Fatal("the first is refused")
	}
	if schema, level := first.Headers(); schema[0] != "uid-of-narrow" || level[0] != "uid-of-narrow" {
		t.Errorf("headers %v %v", schema, level)
	}
	second := p.start(ctx)
	p.waiting(1)
	third := p.start(ctx)
	p.waiting(2)
	if refused, ok := p.Start(ctx, &eve); ok || refused.RetryAfter != 1 {
		t.Errorf("a fourth: %v, retry after %d", ok, refused.RetryAfter)
	}
	p.Finish(&first)
	p.Finish(&first) // does nothing
	got := <-second
	if !got.ok {
		t.Fatal("the second is refused")
	}
	select {
	case <-third:
		t.Fatal("two on one seat")
	default:
	}
	p.Finish(&got.ticket)
	if got := <-third; !got.ok {
		t.Fatal("the third is refused")
	}
}

func TestWaitingEnds(t *testing.T) {
	p := newPlace(t, 1, narrow(2)...)
	ctx, cancel := context.WithCancel(context.Background())
	first, _ := p.Start(ctx, &eve)
	gone := p.start(ctx)
	p.waiting(1)
	cancel()
	if got := <-gone; got.ok {
		t.Error("served after the client had gone")
	}
	late := p.start(context.Background())
	p.waiting(1)
	for !p.clock.HasWaiters() {
	}
	p.clock.Step(15 * time.Second)
	if got := <-late; got.ok || got.ticket.RetryAfter == 0 {
		t.Errorf("after 15 s: %+v", got)
	}
	p.Finish(&first)
	if next, ok := p.Start(context.Background(), &eve); !ok {
		t.Error("the seat is not free again")
	} else {
		p.Finish(&next)
	}
}

// TestConfigurationChanges: the next request is under the new rules; a level that is gone serves who waits in it.
func TestConfigurationChanges(t *testing.T) {
	objects := narrow(2)
	p := newPlace(t, 1, objects...)
	first, _ := p.Start(context.Background(), &eve)
	second := p.start(context.Background())
	p.waiting(1)
	p.write(objects[1], true)
	p.write(objects[0], true)
	other, ok := p.Start(context.Background(), &eve)
	if schema, _ := other.Headers(); !ok || schema[0] != "" {
		t.Errorf("without objects: %v, schema %q", ok, schema)
	}
	p.Finish(&first)
	if got := <-second; !got.ok {
		t.Error("who waited in the level that is gone was refused")
	} else {
		p.Finish(&got.ticket)
	}
	p.Finish(&other)
	p.write(objects[0], false)
	p.write(objects[1], false)
	again, ok := p.Start(context.Background(), &eve)
	if schema, _ := again.Headers(); !ok || schema[0] != "uid-of-narrow" {
		t.Errorf("with objects again: %v, schema %q", ok, schema)
	}
}

// TestFastPathAllocatesNothing: while nothing waits, fairness costs no garbage.
func TestFastPathAllocatesNothing(t *testing.T) {
	p := newPlace(t, 600, suggested()...)
	create := eve
	create.Verb, create.Name = "create", ""
	for _, q := range []*fair.Request{&eve, &create} {
		if n := testing.AllocsPerRun(100, func() {
			ticket, _ := p.Start(context.Background(), q)
			p.Finish(&ticket)
		}); n > 0 {
			t.Errorf("%s: %v allocations", q.Verb, n)
		}
	}
}

func BenchmarkTurn(b *testing.B) {
	for name, user := range map[string]auth.User{
		"master":  {Name: "admin", Groups: []string{"system:masters", "system:authenticated"}},
		"account": {Name: "system:serviceaccount:a:b", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"}},
		"user":    eve.User,
	} {
		b.Run(name, func(b *testing.B) {
			p := newPlace(b, 600, suggested()...)
			d, err := fair.New(fair.Config{Source: p.store, Clock: clock.RealClock{}})
			if err != nil {
				b.Fatal(err)
			}
			q := eve
			q.User = user
			b.ReportAllocs()
			for b.Loop() {
				ticket, _ := d.Start(context.Background(), &q)
				d.Finish(&ticket)
			}
		})
	}
}
