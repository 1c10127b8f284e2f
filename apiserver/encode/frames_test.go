package encode_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/encode"
	"proa/kinds"
	"proa/store"
)

// Streams that share frames send what they would have sent alone, whatever the order in which they come to an event.
func TestFramesAreShared(t *testing.T) {
	table := kinds.Builtin()
	p := encode.Responder{Accept: encode.Accept{Format: encode.Protobuf}}
	type event struct {
		kind string
		item *store.Item
	}
	var events []event
	for n := range 1200 { // some meet in one slot
		data, err := encode.ToStore(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("m", n), Namespace: "n"}})
		if err != nil {
			t.Fatal(err)
		}
		item := store.NewItem(store.Key{Table: "configmaps", Namespace: "n", Name: fmt.Sprint("m", n)}, store.Revision(n/2+1), 1, data, nil, encode.Decoder(table))
		events = append(events, event{"ADDED", item}, event{"MODIFIED", item})
	}
	stream := func(f *encode.Frames) (*encode.Stream, *httptest.ResponseRecorder) {
		w := httptest.NewRecorder()
		s, err := p.Watch(w, encode.VersionOf(table, corev1.SchemeGroupVersion.WithResource("configmaps")))
		if err != nil {
			t.Fatal(err)
		}
		s.Share(f)
		return s, w
	}
	send := func(s *encode.Stream, e event) {
		t.Helper()
		if err := s.Item(e.kind, e.item); err != nil {
			t.Fatal(err)
		}
	}
	alone, want := stream(nil)
	var f encode.Frames
	first, got := stream(&f)
	second, late := stream(&f)
	const lag = 100
	for i, e := range events {
		send(alone, e)
		send(first, e)
		if i >= lag {
			send(second, events[i-lag])
		}
	}
	for _, e := range events[len(events)-lag:] {
		send(second, e)
	}
	for _, s := range []*encode.Stream{alone, first, second} {
		s.Flush()
	}
	if !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) || !bytes.Equal(late.Body.Bytes(), want.Body.Bytes()) {
		t.Errorf("%d and %d bytes came, not the %d of who watches alone", got.Body.Len(), late.Body.Len(), want.Body.Len())
	}
	newest := events[len(events)-1]
	if n := testing.AllocsPerRun(10, func() { send(second, newest) }); n > 0 {
		t.Errorf("an event that another stream has sent took %v allocations: it was made anew", n)
	}
}
