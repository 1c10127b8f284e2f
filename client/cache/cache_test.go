package cache_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"proa/client"
	"proa/client/cache"
)

// front is what stands between client and server: it notes the streams that are opened, and can refuse them or cut them.
type front struct {
	sync.Mutex
	seen    []string             // queries of streams, in the order they were opened
	refuse  func() (int, string) // code and body of the answer; 0 lets pass
	open    map[int]func()       // cuts the streams that are open
	next    int
	changed chan struct{}
}

func newFront() *front { return &front{open: map[int]func(){}, changed: make(chan struct{})} }

func (f *front) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "true" {
			h.ServeHTTP(w, r)
			return
		}
		ctx, cut := context.WithCancel(r.Context())
		defer cut()
		f.Lock()
		id := f.next
		f.next++
		f.seen = append(f.seen, describeStream(r))
		code, body := 0, ""
		if f.refuse != nil {
			code, body = f.refuse()
		}
		if code == 0 {
			f.open[id] = cut
		}
		f.wakeLocked()
		f.Unlock()
		if code != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
			return
		}
		h.ServeHTTP(w, r.WithContext(ctx))
		f.Lock()
		delete(f.open, id)
		f.wakeLocked()
		f.Unlock()
		if ctx.Err() != nil {
			panic(http.ErrAbortHandler) // the connection broke, the stream did not end in good order
		}
	})
}

func describeStream(r *http.Request) string {
	q, text := r.URL.Query(), "from the start"
	if v := q.Get("resourceVersion"); v != "" {
		text = "after " + v
	}
	if v := q.Get("fieldSelector"); v != "" {
		text += " of " + v
	}
	return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] + " " + text
}

func (f *front) wakeLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// wait returns when ok holds of what the front has seen.
func (f *front) wait(t *testing.T, ok func() bool) {
	t.Helper()
	for {
		f.Lock()
		done, changed := ok(), f.changed
		seen := strings.Join(f.seen, "\n")
		f.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			t.Fatalf("streams that were opened:\n%s", seen)
		}
	}
}

func (f *front) cut() {
	f.Lock()
	defer f.Unlock()
	for _, cut := range f.open {
		cut()
	}
}

func (f *front) set(refuse func() (int, string)) {
	f.Lock()
	defer f.Unlock()
	f.refuse = refuse
}

func (f *front) take() []string {
	f.Lock()
	defer f.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

// world is an API behind a front, a cache of it, and a clock that only moves when the cache waits for it.
type world struct {
	*place
	t     *testing.T
	front *front
	clock *clocktesting.FakeClock
	cache *cache.Cache
	ctx   context.Context
	local client.Client
}

func newWorld(t *testing.T, tables ...cache.Table) *world {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := &world{place: newPlace(t), t: t, front: newFront(), clock: clocktesting.NewFakeClock(time.Unix(0, 0)), ctx: ctx}
	w.serve(t, w.front.wrap)
	w.local = w.api.Local(tester)
	w.create("configmaps", configMap("first", "1"))
	w.cache = w.place.cache(t, w.clock, tables...)
	<-w.cache.Ready()
	return w
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: map[string]string{"k": value}}
}

func pod(name, node string, configMaps ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Image: "image"}}}}
	for _, m := range configMaps {
		p.Spec.Containers[0].EnvFrom = append(p.Spec.Containers[0].EnvFrom,
			corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: m}}})
	}
	return p
}

// create, update and remove write in the server, past front and cache.
func (w *world) create(table string, obj client.Object) client.Object {
	w.t.Helper()
	created, err := w.local.Create(w.ctx, client.RefOf(table, obj), "", obj, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

func (w *world) update(table string, obj client.Object) client.Object {
	w.t.Helper()
	updated, err := w.local.Update(w.ctx, client.RefOf(table, obj), "", obj, metav1.UpdateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return updated
}

func (w *world) remove(table string, obj client.Object) {
	w.t.Helper()
	zero := int64(0)
	if err := w.local.Delete(w.ctx, client.RefOf(table, obj), metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
		w.t.Fatal(err)
	}
}

// tick moves the clock whenever the cache pauses, until stop.
func (w *world) tick() (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if w.clock.HasWaiters() {
				w.clock.Step(100 * time.Millisecond)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// watch notes the events of a table as text.
func (w *world) next(watcher client.Watcher, n int) string {
	w.t.Helper()
	var out []string
	for len(out) < n {
		events, err := watcher.Next(w.ctx)
		if err != nil {
			w.t.Fatalf("after %q: %v", out, err)
		}
		for _, e := range events {
			out = append(out, [...]string{"?", "created", "updated", "deleted"}[e.Type]+" "+e.Object.GetName())
		}
	}
	return strings.Join(out, ", ")
}

func (w *world) watch(table string) client.Watcher {
	w.t.Helper()
	watcher, err := w.cache.Watch(table, w.cache.View())
	if err != nil {
		w.t.Fatal(err)
	}
	return watcher
}

func TestResumeWithoutReading(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "configmaps"})
	events := w.watch("configmaps")
	defer w.tick()()
	for i := range 3 {
		w.front.cut()
		w.front.wait(t, func() bool { return len(w.front.seen) == i+2 && len(w.front.open) == 1 })
		w.create("configmaps", configMap(fmt.Sprintf("after-%d", i), "1"))
		if got, want := w.next(events, 1), fmt.Sprintf("created after-%d", i); got != want {
			t.Errorf("events %q, want %q", got, want)
		}
	}
	seen := w.front.take()
	if seen[0] != "configmaps from the start" {
		t.Errorf("first stream: %s", seen[0])
	}
	for _, s := range seen[1:] {
		if !strings.HasPrefix(s, "configmaps after ") {
			t.Errorf("a cut stream was not taken up where it ended: %s", s)
		}
	}
}

func TestChangesWhileCut(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "configmaps"})
	events := w.watch("configmaps")
	w.front.set(func() (int, string) { return http.StatusServiceUnavailable, "" })
	w.front.cut()
	w.front.wait(t, func() bool { return len(w.front.open) == 0 })
	w.create("configmaps", configMap("a", "1"))
	w.remove("configmaps", configMap("first", ""))
	if w.cache.View().Get(client.Ref{Table: "configmaps", Namespace: "default", Name: "first"}) == nil {
		t.Error("the view forgot an object while the API was away")
	}
	w.front.set(nil)
	defer w.tick()()
	if got, want := w.next(events, 2), "created a, deleted first"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

const gone = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}`

func TestHistoryIsLost(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "configmaps"})
	kept := w.create("configmaps", configMap("kept", "1"))
	changed := w.create("configmaps", configMap("changed", "1"))
	remade := w.create("configmaps", configMap("remade", "1"))
	for _, obj := range []client.Object{kept, changed, remade} {
		if err := w.cache.WaitFor(w.ctx, obj); err != nil {
			t.Fatal(err)
		}
	}
	events := w.watch("configmaps")
	var once sync.Once
	w.front.set(func() (code int, body string) {
		once.Do(func() { code, body = http.StatusGone, gone })
		return code, body
	})
	w.front.cut()
	w.front.wait(t, func() bool { return len(w.front.open) == 0 })
	w.update("configmaps", configMap("changed", "2"))
	w.remove("configmaps", remade)
	w.create("configmaps", configMap("remade", "2"))
	w.remove("configmaps", configMap("first", ""))
	w.create("configmaps", configMap("new", "1"))
	defer w.tick()()
	want := "updated changed, deleted first, deleted remade, created new, created remade"
	if got := w.next(events, 5); got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	got, _ := client.Get[*corev1.ConfigMap](w.cache.View(), "configmaps", "default", "kept")
	if got.ResourceVersion != kept.GetResourceVersion() {
		t.Errorf("kept is %v", got)
	}
	seen := w.front.take()
	if len(seen) != 3 || seen[2] != "configmaps from the start" {
		t.Errorf("streams: %q", seen)
	}
}

func TestSelector(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "pods", Fields: "spec.nodeName=alpha"})
	events := w.watch("pods")
	w.create("pods", pod("elsewhere", "beta"))
	unbound := w.create("pods", pod("later", ""))
	w.create("pods", pod("mine", "alpha"))
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "later"}, Target: corev1.ObjectReference{Kind: "Node", Name: "alpha"}}
	if _, err := w.cache.Create(w.ctx, client.Ref{Table: "pods", Namespace: "default", Name: "later"}, "binding", binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.next(events, 2), "created mine, created later"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	// What the table never shows is not waited for.
	other := w.create("pods", pod("other", "beta"))
	for _, obj := range []client.Object{other, unbound} {
		if err := w.cache.WaitFor(w.ctx, obj); err != nil {
			t.Error(err)
		}
	}
}

// byEnvironment yields the config maps that a pod's environment names.
func byEnvironment(obj client.Object) iter.Seq[client.Ref] {
	return func(yield func(client.Ref) bool) {
		for _, from := range obj.(*corev1.Pod).Spec.Containers[0].EnvFrom {
			if !yield(client.Ref{Table: "configmaps", Namespace: obj.GetNamespace(), Name: from.ConfigMapRef.Name}) {
				return
			}
		}
	}
}

func TestSingleObjects(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "pods", Fields: "spec.nodeName=alpha"},
		cache.Table{Name: "configmaps", Of: "pods", NamedBy: byEnvironment})
	events := w.watch("configmaps")
	w.create("configmaps", configMap("unnamed", "1"))
	a := w.create("pods", pod("a", "alpha", "first", "missing"))
	if got, want := w.next(events, 1), "created first"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	b := w.create("pods", pod("b", "alpha", "first"))
	w.update("configmaps", configMap("first", "2"))
	w.create("configmaps", configMap("missing", "1"))
	if got := w.next(events, 2); got != "updated first, created missing" && got != "created missing, updated first" {
		t.Errorf("events %q", got)
	}
	w.remove("pods", a)
	if got, want := w.next(events, 1), "deleted missing"; got != want { // b still names the other
		t.Errorf("events %q, want %q", got, want)
	}
	w.remove("pods", b)
	if got, want := w.next(events, 1), "deleted first"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	w.front.wait(t, func() bool { return len(w.front.open) == 1 }) // the streams have ended but for the pods'
	count := 0
	for _, s := range w.front.take() {
		if strings.HasPrefix(s, "configmaps") {
			count++
			if !strings.Contains(s, "of metadata.name=") {
				t.Errorf("more than a single object was asked for: %s", s)
			}
		}
	}
	if count != 2 {
		t.Errorf("%d streams for two objects", count)
	}
}

// TestOutage: while the API is away one request at a time asks for it, however many streams there are.
func TestOutage(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "configmaps"}, cache.Table{Name: "pods"}, cache.Table{Name: "nodes"}, cache.Table{Name: "services"})
	w.front.set(func() (int, string) { return http.StatusServiceUnavailable, "" })
	w.front.cut()
	w.front.wait(t, func() bool { return len(w.front.open) == 0 })
	for range 600 { // a minute, in steps of 100 ms
		for !w.clock.HasWaiters() {
			time.Sleep(50 * time.Microsecond) // requests are under way; nothing is timed by this
		}
		w.clock.Step(100 * time.Millisecond)
	}
	tried := len(w.front.take()) - 4 // those of the start
	if tried > 20 {
		t.Errorf("in a minute's outage the API was asked %d times", tried)
	}
	w.front.set(nil)
	defer w.tick()()
	w.front.wait(t, func() bool { return len(w.front.open) == 4 })
	for _, s := range w.front.take() {
		if strings.Contains(s, "from the start") {
			t.Errorf("everything was read again after an outage: %s", s)
		}
	}
}

func TestNotHeld(t *testing.T) {
	w := newWorld(t, cache.Table{Name: "pods"})
	if _, err := w.cache.Watch("configmaps", w.cache.View()); err == nil || !strings.Contains(err.Error(), "holds no such table") {
		t.Errorf("watch of a table that is not held: %v", err)
	}
	if _, err := w.cache.Watch("pods", w.local.View()); err == nil {
		t.Error("a view of another client was taken")
	}
	if err := w.cache.WaitFor(w.ctx, configMap("first", "")); err == nil {
		t.Error("an object of a table that is not held was waited for")
	}
	if _, err := w.cache.GetLive(w.ctx, client.Ref{Table: "configmaps", Namespace: "default", Name: "first"}); err != nil {
		t.Errorf("live read of a table that is not held: %v", err)
	}
	_, err := w.cache.GetLive(w.ctx, client.Ref{Table: "configmaps", Namespace: "default", Name: "none"})
	if !apierrors.IsNotFound(err) {
		t.Errorf("live read of nothing: %v", err)
	}
}
