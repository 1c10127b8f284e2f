package reconcile

import (
	"encoding/json"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The limits of upstream's event correlator (client-go tools/record).
const (
	spamBurst         = 25              // events about one object at once,
	spamRefill        = 5 * time.Minute // and one more after each of these
	similarMax        = 10              // different messages of one reason about one object,
	similarWindow     = 10 * time.Minute
	similarPrefix     = "(combined from similar events): "
	correlatorEntries = 2048 // per generation; there are two
)

// correlator decides what becomes of an event: a new one, a higher count of an old one, or nothing. It is a cache: what it
// has forgotten is written anew.
type correlator struct {
	spam    generations[spamKey, *bucket]
	similar generations[similarKey, *similarity]
	same    generations[sameKey, *written]
}

type spamKey struct{ about corev1.ObjectReference }

type similarKey struct {
	about             corev1.ObjectReference
	eventType, reason string
}

type sameKey struct {
	similarKey
	message string
}

type bucket struct {
	tokens float64
	filled time.Time
}

type similarity struct {
	messages map[string]struct{}
	last     time.Time
}

// written is an event that was sent. Its name is known once it is stored.
type written struct {
	count int32
	first time.Time
	mu    struct {
		sync.Mutex
		stored string
	}
}

func (w *written) name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.stored
}

// step is what to do with an event.
type step struct {
	drop    bool
	message string
	count   int32
	first   time.Time
	written *written // set: raise this one's count
	entry   *written // where to note the name of a new one
}

func (s step) remember(name string) {
	s.entry.mu.Lock()
	defer s.entry.mu.Unlock()
	s.entry.mu.stored = name
}

func newCorrelator() *correlator { return &correlator{} }

func (c *correlator) observe(now time.Time, about corev1.ObjectReference, eventType, reason, message string) step {
	about.ResourceVersion = "" // the same object at another time
	if !c.allow(now, about) {
		return step{drop: true}
	}
	similar := similarKey{about: about, eventType: eventType, reason: reason}
	key := sameKey{similarKey: similar, message: message}
	if c.tooMany(now, similar, message) {
		message = similarPrefix + message
		key.message = "" // one event stands for all of them
	}
	entry, ok := c.same.get(key)
	if ok {
		entry.count++
		return step{message: message, count: entry.count, first: entry.first, written: entry, entry: entry}
	}
	entry = &written{count: 1, first: now}
	c.same.put(key, entry)
	return step{message: message, count: 1, first: now, entry: entry}
}

// allow is the spam filter: a bucket of tokens per object.
func (c *correlator) allow(now time.Time, about corev1.ObjectReference) bool {
	b, ok := c.spam.get(spamKey{about})
	if !ok {
		b = &bucket{tokens: spamBurst, filled: now}
		c.spam.put(spamKey{about}, b)
	}
	b.tokens = min(spamBurst, b.tokens+now.Sub(b.filled).Seconds()/spamRefill.Seconds())
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// tooMany says whether the object has had so many messages of this reason lately that they are combined.
func (c *correlator) tooMany(now time.Time, key similarKey, message string) bool {
	s, ok := c.similar.get(key)
	if !ok || now.Sub(s.last) > similarWindow {
		s = &similarity{messages: map[string]struct{}{}}
		c.similar.put(key, s)
	}
	s.last = now
	s.messages[message] = struct{}{}
	if len(s.messages) < similarMax {
		return false
	}
	delete(s.messages, message) // the set stays as small as the limit
	return true
}

// countPatch raises count and time of a stored event, and replaces its message.
func countPatch(event *corev1.Event) ([]byte, error) {
	return json.Marshal(map[string]any{
		"count": event.Count, "message": event.Message, "lastTimestamp": metav1.NewTime(event.LastTimestamp.Time),
	})
}

// generations is a bounded cache: when the young generation is full it becomes the old one, and the old one is forgotten.
type generations[K comparable, V any] struct{ young, old map[K]V }

func (g *generations[K, V]) get(key K) (V, bool) {
	v, ok := g.young[key]
	if ok {
		return v, true
	}
	if v, ok = g.old[key]; ok {
		g.put(key, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(key K, value V) {
	if g.young == nil || len(g.young) >= correlatorEntries {
		g.old, g.young = g.young, map[K]V{}
	}
	g.young[key] = value
}
