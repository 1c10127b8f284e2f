package pebblelog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"proa/store"
	"proa/store/index"
	"proa/store/storetest"
)

// cutDisk is a disk in memory that keeps a clone of what a power failure would leave, taken right before every sync.
type cutDisk struct {
	disk *vfs.MemFS
	fs   vfs.FS
	rand *rand.Rand

	mu    sync.Mutex
	acked store.Revision // newest durable commit that was acknowledged
	seen  store.Revision // newest revision that a client may have seen
	cuts  []cut
}

// cut is one such moment.
type cut struct {
	at          string
	disk        *vfs.MemFS
	acked, seen store.Revision
}

func newCutDisk(r *rand.Rand) *cutDisk {
	d := &cutDisk{disk: vfs.NewCrashableMem(), rand: r}
	d.fs = errorfs.Wrap(d.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			d.cut(op.Path)
		}
		return nil
	}))
	return d
}

// cut notes what was acknowledged before it clones: what is acknowledged while it clones may or may not be there.
func (d *cutDisk) cut(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := cut{at: fmt.Sprintf("cut %d, before a sync of %s", len(d.cuts), path), acked: d.acked, seen: d.seen}
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 0, 30, 70, 100}[d.rand.IntN(5)], RNG: d.rand}
	c.disk = d.disk.CrashClone(cfg)
	d.cuts = append(d.cuts, c)
}

func (d *cutDisk) ack(rev store.Revision, relaxed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = max(d.seen, rev)
	if !relaxed {
		d.acked = max(d.acked, rev)
	}
}

// TestPowerFailure cuts the power at every sync of a busy store. After each: everything acknowledged is there and nothing
// by halves, revisions go on after all that anybody has seen, watches resume from wherever the history reaches.
func TestPowerFailure(t *testing.T) {
	seed := storetest.Seed(t)
	d := newCutDisk(rand.New(rand.NewPCG(seed.Uint64(), 0)))
	model := storetest.NewModel()
	setup := storetest.Setup{Clock: storetest.NewClock().Now, Decode: storetest.Decode, History: index.Options{Events: 50}}
	s, err := openOn(d.fs, "log")(setup)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for id := range 3 {
		w := &storetest.Workload{Rand: rand.New(rand.NewPCG(seed.Uint64(), uint64(id))), Name: fmt.Sprint("w", id, "-")}
		writers.Go(func() { writeAndAck(t, s, w, model, d, 100) })
	}
	writers.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.cut("nothing: the store is closed")
	d.cuts[len(d.cuts)-1].acked = model.Last() // Close makes relaxed commits durable
	for i, c := range d.cuts {
		if testing.Short() && i%10 != 0 {
			continue
		}
		if err := afterCut(c, setup, model.Clone()); err != nil {
			t.Fatalf("%s: %v", c.at, err)
		}
	}
	t.Logf("%d commits, %d cuts", model.Last(), len(d.cuts))
}

// writeAndAck records a commit in the model when its revision is known, which is before it is durable or acknowledged: a
// cut may keep it nevertheless.
func writeAndAck(t *testing.T, s store.Store, w *storetest.Workload, model *storetest.Model, d *cutDisk, count int) {
	for range count {
		ops := w.Ops()
		relaxed := true
		for i := range ops {
			ops[i].Relaxed = ops[i].Key.Table != "pods"
			relaxed = relaxed && ops[i].Relaxed
		}
		plain := append([]store.Op(nil), ops...)
		ops[0].Stamp = func(rev store.Revision) {
			if err := model.Record(rev, plain...); err != nil {
				t.Error(err)
			}
		}
		rev, err := s.Commit(context.Background(), ops...)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		d.ack(rev, relaxed)
	}
}

// afterCut opens what a cut left and compares it with the model.
func afterCut(c cut, setup storetest.Setup, model *storetest.Model) error {
	s, err := openOn(c.disk, "log")(setup)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	now := s.Snapshot().Revision()
	if now < c.seen {
		return fmt.Errorf("revision went back to %d, clients have seen %d", now, c.seen)
	}
	kept, err := lastKept(s)
	if err != nil {
		return err
	}
	if kept < c.acked {
		return fmt.Errorf("the newest commit is %d, %d was acknowledged", kept, c.acked)
	}
	model.Forget(kept)
	if err := model.At(kept).Compare(s.Snapshot(), storetest.Tables...); err != nil {
		return err
	}
	if err := resume(s, model); err != nil {
		return err
	}
	op := store.Op{Key: store.Key{Table: "pods", Namespace: "a", Name: "after"}, Expect: store.Any, Data: []byte("x")}
	rev, err := s.Commit(context.Background(), op)
	if err != nil || rev <= c.seen || rev != now+1 {
		return fmt.Errorf("next commit: revision %d, %v", rev, err)
	}
	return nil
}

// lastKept is the newest revision that has events, or that is compacted.
func lastKept(s store.Store) (store.Revision, error) {
	last := s.Compacted()
	for _, table := range storetest.Tables {
		w, err := s.Watch(table, s.Compacted())
		if err != nil {
			return 0, err
		}
		changes, err := storetest.Drain(w)
		if err != nil {
			return 0, err
		}
		if n := len(changes); n > 0 {
			last = max(last, changes[n-1].Item.Revision)
		}
	}
	return last, nil
}

// resume watches from every revision that the history has.
func resume(s store.Store, model *storetest.Model) error {
	for rev := s.Compacted(); rev <= model.Last(); rev += 5 {
		for _, table := range storetest.Tables {
			w, err := s.Watch(table, rev)
			if err != nil {
				return err
			}
			o := storetest.Observation{Table: table, From: rev}
			if o.Changes, err = storetest.Drain(w); err != nil {
				return err
			}
			if err := model.CheckWatch(o); err != nil {
				return err
			}
			if missed := model.Missed(o); missed > 0 {
				return fmt.Errorf("watch of %s from %d lacks %d changes", table, rev, missed)
			}
		}
	}
	return nil
}

// TestKilled: what the log's files hold is what was acknowledged, relaxed or not, without any sync.
func TestKilled(t *testing.T) {
	disk := vfs.NewCrashableMem()
	syncs := 0
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync) {
			syncs++
		}
		return nil
	}))
	setup := storetest.Setup{Clock: storetest.NewClock().Now, Decode: storetest.Decode}
	s, err := openOn(fs, "log")(setup)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lease := func(data string) store.Revision {
		op := store.Op{Key: store.Key{Table: "leases", Name: "x"}, Expect: store.Any, Data: []byte(data), Relaxed: true}
		rev, err := s.Commit(context.Background(), op)
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	lease("first") // raises the floor, with a sync
	before := syncs
	for i := range 100 {
		rev := lease(fmt.Sprint(i))
		if i%20 != 0 {
			continue
		}
		killed, err := openOn(disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}), "log")(setup)
		if err != nil {
			t.Fatal(err)
		}
		item := killed.Snapshot().Get(store.Key{Table: "leases", Name: "x"})
		if item == nil || item.Revision != rev || string(item.Data) != fmt.Sprint(i) {
			t.Fatalf("after a kill: %v, want revision %d", storetest.VersionOf(item), rev)
		}
		if err := killed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if syncs != before {
		t.Fatalf("relaxed commits made %d syncs", syncs-before)
	}
}

// TestPowerFailureRelaxed: enough relaxed commits that Pebble goes from one log file to the next, several times. What is
// lost is a tail, never a part in the middle, and the log opens again.
func TestPowerFailureRelaxed(t *testing.T) {
	seed := storetest.Seed(t)
	d := newCutDisk(rand.New(rand.NewPCG(seed.Uint64(), 0)))
	setup := storetest.Setup{Clock: storetest.NewClock().Now, Decode: storetest.Decode, History: index.Options{Events: 20}}
	s, err := openOn(d.fs, "log")(setup)
	if err != nil {
		t.Fatal(err)
	}
	model := storetest.NewModel()
	for i := range 50 {
		data := strings.Repeat(string(rune('a'+i%26)), 100_000)
		op := store.Op{
			Key:    store.Key{Table: "leases", Name: fmt.Sprint("n", i%5)},
			Expect: store.Any, Data: []byte(data), Relaxed: true,
		}
		rev, err := s.Commit(context.Background(), op)
		if err != nil {
			t.Fatal(err)
		}
		if err := model.Record(rev, op); err != nil {
			t.Fatal(err)
		}
		d.ack(rev, true)
		if i%10 == 5 {
			d.cut("nothing: between commits")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range d.cuts {
		if err := afterCut(c, setup, model.Clone()); err != nil {
			t.Fatalf("%s: %v", c.at, err)
		}
	}
	t.Logf("%d cuts", len(d.cuts))
}
