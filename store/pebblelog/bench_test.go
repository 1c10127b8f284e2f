package pebblelog_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"proa/store"
	"proa/store/pebblelog"
	"proa/store/storetest"
)

// benchData is about the size of a small pod in protobuf.
var benchData = strings.Repeat("x", 1500)

func openBench(b *testing.B) store.Store {
	s, err := pebblelog.Open(pebblelog.Options{Dir: b.TempDir(), Decode: storetest.Decode})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func benchOp(i int) store.Op {
	return store.Op{
		Key:    store.Key{Table: "pods", Namespace: fmt.Sprint("ns", i%50), Name: fmt.Sprint("pod-", i)},
		Expect: store.Any, Data: []byte(benchData),
	}
}

func fill(b *testing.B, s store.Store, count int) {
	for i := 0; i < count; i += 500 {
		var ops []store.Op
		for j := range min(500, count-i) {
			ops = append(ops, benchOp(i+j))
		}
		if _, err := s.Commit(context.Background(), ops...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, relaxed := range []bool{false, true} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("relaxed=%t/writers=%d", relaxed, writers), func(b *testing.B) {
				s := openBench(b)
				fill(b, s, 5000)
				var next atomic.Int64
				var all sync.WaitGroup
				b.ResetTimer()
				for range writers {
					all.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							op := benchOp(int(i % 5000))
							op.Relaxed = relaxed
							if _, err := s.Commit(context.Background(), op); err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := openBench(b)
	fill(b, s, 5000)
	key := benchOp(1234).Key
	b.ReportAllocs()
	for b.Loop() {
		if s.Snapshot().Get(key) == nil {
			b.Fatal("not found")
		}
	}
}

func BenchmarkList5000(b *testing.B) {
	s := openBench(b)
	fill(b, s, 5000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range s.Snapshot().List("pods", "", store.Key{}) {
			n++
		}
		if n != 5000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkLenNamespace(b *testing.B) {
	s := openBench(b)
	fill(b, s, 5000)
	for b.Loop() {
		if s.Snapshot().Len("pods", "ns7") != 100 {
			b.Fatal("wrong")
		}
	}
}

// BenchmarkSnapshotAt reads one object as it was 1,000 commits ago, out of 5,000.
func BenchmarkSnapshotAt(b *testing.B) {
	s := openBench(b)
	fill(b, s, 5000)
	old := s.Snapshot().Revision()
	var all sync.WaitGroup
	for g := range 50 {
		all.Go(func() {
			for i := range 20 {
				if _, err := s.Commit(context.Background(), benchOp(g*20+i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	for b.Loop() {
		snapshot, err := s.SnapshotAt(old)
		if err != nil || snapshot.Get(benchOp(3).Key).Revision > old {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanOut1000 counts one event seen by 1,000 watchers as 1,000.
func BenchmarkFanOut1000(b *testing.B) {
	const watchers = 1000
	s := openBench(b)
	ctx := context.Background()
	var all sync.WaitGroup
	for range watchers {
		w, err := s.Watch("pods", 0)
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			for seen := 0; seen < b.N; {
				events, err := w.Next(ctx)
				if err != nil {
					b.Error(err)
					return
				}
				seen += len(events)
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		op := benchOp(i % 100)
		op.Relaxed = true
		if _, err := s.Commit(ctx, op); err != nil {
			b.Fatal(err)
		}
	}
	all.Wait()
	b.ReportMetric(float64(b.N*watchers)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOpen is a restart with 5,000 items and as many events.
func BenchmarkOpen(b *testing.B) {
	options := pebblelog.Options{Dir: b.TempDir(), Decode: storetest.Decode}
	s, err := pebblelog.Open(options)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, s, 5000)
	fill(b, s, 5000)
	_ = s.Close()
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		s, err := pebblelog.Open(options)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds()*1000, "ms")
		if s.Snapshot().Len("pods", "") != 5000 {
			b.Fatal("items are missing")
		}
		_ = s.Close()
	}
}
