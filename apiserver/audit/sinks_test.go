package audit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func event(uri string) *auditv1.Event {
	return &auditv1.Event{RequestURI: uri, Level: auditv1.LevelMetadata}
}

func TestFileIsRotated(t *testing.T) {
	dir := t.TempDir()
	clock := clocktesting.NewFakeClock(epoch)
	other := filepath.Join(dir, "audit-of-somebody.log")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(FileConfig{Path: filepath.Join(dir, "audit.log"), MaxSize: 1000, MaxBackups: 2, MaxAge: 90 * time.Minute, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	write := func(uri string) {
		t.Helper()
		if err := f.Write(event(uri + strings.Repeat("x", 600))); err != nil {
			t.Fatal(err)
		}
	}
	for _, uri := range []string{"/1", "/2", "/3", "/4"} {
		write(uri)
		clock.Step(time.Minute)
	}
	if got, want := files(t, dir), "audit-2026-01-02T03-06-05.000.log audit-2026-01-02T03-07-05.000.log audit-of-somebody.log audit.log"; got != want {
		t.Errorf("two rotated files are kept:\ngot  %s\nwant %s", got, want)
	}
	clock.Step(2 * time.Hour)
	write("/5")
	if got, want := files(t, dir), "audit-2026-01-02T05-08-05.000.log audit-of-somebody.log audit.log"; got != want {
		t.Errorf("old ones go:\ngot  %s\nwant %s", got, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(event("/6")); err == nil {
		t.Error("a closed log takes events")
	}
	again, err := NewFile(FileConfig{Path: filepath.Join(dir, "audit.log")})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Write(event("/7")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil || strings.Count(string(data), "\n") != 2 {
		t.Errorf("after a restart: %s %v", data, err)
	}
}

func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// memory is a sink that passes batches on.
type memory chan []string

func (m memory) Write(events ...*auditv1.Event) error {
	var uris []string
	for _, e := range events {
		uris = append(uris, e.RequestURI)
	}
	m <- uris
	return nil
}

func (m memory) Run(ctx context.Context) error {
	<-ctx.Done()
	close(m)
	return nil
}

func TestBatches(t *testing.T) {
	clock := clocktesting.NewFakeClock(epoch)
	to := make(memory, 10)
	b := NewBatch(to, BatchConfig{Buffer: 3, Size: 2, Clock: clock})
	for _, uri := range []string{"/1", "/2", "/3"} {
		if err := b.Write(event(uri)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Write(event("/lost")); !errors.Is(err, ErrOverflow) {
		t.Errorf("a full buffer: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	if got := <-to; !slices.Equal(got, []string{"/1", "/2"}) {
		t.Errorf("a full batch: %v", got)
	}
	for !clock.HasWaiters() { // the third waits for others
	}
	clock.Step(30 * time.Second)
	if got := <-to; !slices.Equal(got, []string{"/3"}) {
		t.Errorf("a late batch: %v", got)
	}
	if err := b.Write(event("/4")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := <-to; !slices.Equal(got, []string{"/4"}) {
		t.Errorf("what was left: %v", got)
	}
}

func TestWebhookTriesAgain(t *testing.T) {
	var mu sync.Mutex
	codes := []int{503, 429, 200}
	var got auditv1.EventList
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		code := codes[0]
		codes = codes[1:]
		if code == 200 {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				code = 500
			}
		}
		w.WriteHeader(code)
	}))
	defer server.Close()
	clock := clocktesting.NewFakeClock(epoch)
	w, err := NewWebhook(WebhookConfig{URL: server.URL, Client: server.Client(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Write(event("/1"), event("/2")) }()
	for _, wait := range []time.Duration{10 * time.Second, 15 * time.Second} {
		for !clock.HasWaiters() {
		}
		clock.Step(wait)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got.Kind != "EventList" || len(got.Items) != 2 || got.Items[1].RequestURI != "/2" {
		t.Errorf("got %+v", got)
	}
	codes = []int{400}
	if err := w.Write(event("/3")); err == nil || len(codes) != 0 {
		t.Errorf("refused for good: %v, %d answers left", err, len(codes))
	}
}
