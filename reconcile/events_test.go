package reconcile_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/reconcile"
)

// stillClock stands still until it is set.
type stillClock struct{ now time.Time }

func (c *stillClock) Now() time.Time { return c.now }

func (c *stillClock) AfterFunc(time.Duration, func()) reconcile.Timer { panic("not used") }

type eventRig struct {
	clock    *stillClock
	user     client.Client
	recorder *reconcile.Recorder
	pod      *corev1.Pod
}

func newEventRig() *eventRig {
	clock := &stillClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	api := fake.New(fake.Config{Kinds: kinds.Builtin(), Now: clock.Now})
	user := api.As("user")
	return &eventRig{
		clock: clock, user: user,
		recorder: reconcile.NewRecorder(user, kinds.Builtin(), "tester", clock, slog.New(slog.DiscardHandler)),
		pod:      &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "u"}},
	}
}

func (r *eventRig) list() (texts []string) {
	for e := range client.List[*corev1.Event](r.user.View(), "events", "") {
		texts = append(texts, fmt.Sprintf("%s %s x%d %s", e.Reason, e.Message, e.Count, e.LastTimestamp.UTC().Format("15:04:05")))
	}
	return texts
}

func TestEventsThatRepeatAreCounted(t *testing.T) {
	r := newEventRig()
	for range 3 {
		r.recorder.Eventf(r.pod, corev1.EventTypeWarning, "Failed", "because %s", "of that")
		r.clock.now = r.clock.now.Add(time.Second)
	}
	r.recorder.Eventf(r.pod, corev1.EventTypeWarning, "Other", "something else")
	expect(t, r.list(), "Failed because of that x3 00:00:02", "Other something else x1 00:00:03")
}

func TestEventNamesItsObject(t *testing.T) {
	r := newEventRig()
	r.recorder.Eventf(r.pod, corev1.EventTypeNormal, "Seen", "hello")
	for e := range client.List[*corev1.Event](r.user.View(), "events", "default") {
		about := e.InvolvedObject
		if about.Kind != "Pod" || about.APIVersion != "v1" || about.Name != "p" || about.UID != "u" || e.Source.Component != "tester" {
			t.Errorf("event is about %+v from %+v", about, e.Source)
		}
		return
	}
	t.Error("no event")
}

// Ten different messages of one reason become one event that stands for all further ones.
func TestSimilarEventsAreCombined(t *testing.T) {
	r := newEventRig()
	for i := range 14 {
		r.recorder.Eventf(r.pod, corev1.EventTypeWarning, "Failed", "try %d", i)
	}
	list := r.list()
	if len(list) != 10 {
		t.Fatalf("%d events, want 10: %q", len(list), list)
	}
	expect(t, list[9:], "Failed (combined from similar events): try 13 x5 00:00:00")
}

func TestSpamIsDropped(t *testing.T) {
	r := newEventRig()
	for range 40 {
		r.recorder.Eventf(r.pod, corev1.EventTypeWarning, "Failed", "again")
	}
	expect(t, r.list(), "Failed again x25 00:00:00")
	r.clock.now = r.clock.now.Add(5 * time.Minute)
	r.recorder.Eventf(r.pod, corev1.EventTypeWarning, "Failed", "again")
	r.recorder.Eventf(r.pod, corev1.EventTypeWarning, "Failed", "again")
	expect(t, r.list(), "Failed again x26 00:05:00")
}
