package script

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vishvananda/netns"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"proa/internal/nstest"
)

// writers create objects at the same time; enoughAcknowledged creates later the server is killed, with as many under way.
const (
	writers            = 200
	enoughAcknowledged = 300
)

// storm is many creates at once, into a server that is killed in their middle, and a watch beside them.
type storm struct {
	url    string
	client *http.Client

	mu struct {
		sync.Mutex
		acknowledged map[string]string // resourceVersion by name
		failed       int
	}
	seen []seen // by the watch, before the kill and after
}

type seen struct{ name, version string }

type object struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
}

// storms holds each script's storm by its work folder.
var storms sync.Map

// rage makes a storm and has it end in a kill, or looks at what it left: "storm crash", and, once the server is back,
// "storm check".
func rage(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && slices.Equal(args, []string{"crash"}):
		s, err := newStorm(ts)
		ts.Check(err)
		storms.Store(ts.Getenv("WORK"), s)
		ts.Check(s.crash(clusterIn(ts.Getenv("DATA"))))
		ts.Logf("%d creates acknowledged, %d cut off, %d events seen", len(s.mu.acknowledged), s.mu.failed, len(s.seen))
	case !neg && slices.Equal(args, []string{"check"}):
		s, ok := storms.Load(ts.Getenv("WORK"))
		if !ok {
			ts.Fatalf("there was no storm")
		}
		ts.Check(s.(*storm).check())
	default:
		ts.Fatalf("usage: storm crash | storm check")
	}
}

func newStorm(ts *testscript.TestScript) (*storm, error) {
	config, err := clientcmd.BuildConfigFromFlags("", ts.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	ns, err := netns.GetFromName(ts.Getenv("NETNS"))
	if err != nil {
		return nil, err
	}
	ts.Defer(func() { ns.Close() })
	config.Dial = nstest.Dialer(ns)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	s := &storm{url: config.Host + "/api/v1/namespaces/default/configmaps", client: client}
	s.mu.acknowledged = map[string]string{}
	return s, nil
}

func (s *storm) crash(c cluster) error {
	_, from, err := s.list()
	if err != nil {
		return err
	}
	events, err := s.open(from)
	if err != nil {
		return err
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = s.follow(events, func() bool { return false }) // it ends with the server
	}()
	enough := make(chan struct{})
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() { s.write(i, enough) })
	}
	<-enough
	err = c.kill()
	all.Wait()
	<-watched
	return err
}

// write creates one object after another until the server is gone.
func (s *storm) write(worker int, enough chan struct{}) {
	for n := 0; ; n++ {
		name := fmt.Sprintf("storm-%d-%d", worker, n)
		made, err := s.create(name)
		s.mu.Lock()
		if err != nil {
			s.mu.failed++
		} else {
			s.mu.acknowledged[name] = made.Metadata.ResourceVersion
			if len(s.mu.acknowledged) == enoughAcknowledged {
				close(enough)
			}
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *storm) create(name string) (made object, err error) {
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q}}`, name)
	resp, err := s.client.Post(s.url, "application/json", bytes.NewBufferString(body))
	if err != nil {
		return made, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return made, errors.New(resp.Status)
	}
	return made, json.NewDecoder(resp.Body).Decode(&made)
}

func (s *storm) list() (items map[string]string, version string, err error) {
	resp, err := s.client.Get(s.url)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	var list struct {
		object
		Items []object `json:"items"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, "", fmt.Errorf("read list: %w", err)
	}
	items = map[string]string{}
	for _, i := range list.Items {
		items[i.Metadata.Name] = i.Metadata.ResourceVersion
	}
	return items, list.Metadata.ResourceVersion, nil
}

// open begins a watch after a version.
func (s *storm) open(from string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"?watch=1&resourceVersion="+from, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		cancel()
		return nil, fmt.Errorf("watch from %s: %s", from, resp.Status)
	}
	return &body{resp.Body, cancel}, nil
}

// body ends its request when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// follow gathers the events of a watch until all are there or it breaks off.
func (s *storm) follow(events io.ReadCloser, all func() bool) error {
	defer events.Close()
	for in := json.NewDecoder(events); !all(); {
		var event struct {
			Type   string `json:"type"`
			Object object `json:"object"`
		}
		if err := in.Decode(&event); err != nil {
			return fmt.Errorf("read event after %d: %w", len(s.seen), err)
		}
		if event.Type != "ADDED" {
			return fmt.Errorf("event %s of %s, only ADDED was due", event.Type, event.Object.Metadata.Name)
		}
		s.seen = append(s.seen, seen{event.Object.Metadata.Name, event.Object.Metadata.ResourceVersion})
	}
	return nil
}

// check holds the server that is back to what the one before it said: every acknowledged object is there at its version,
// and the watch goes on after the last event seen, with each object once and in order.
func (s *storm) check() error {
	items, _, err := s.list()
	if err != nil {
		return err
	}
	for name, version := range s.mu.acknowledged {
		if items[name] != version {
			return fmt.Errorf("%s was acknowledged at version %s, and now is at %q", name, version, items[name])
		}
	}
	if len(s.seen) == 0 || s.mu.failed == 0 {
		return fmt.Errorf("the kill was not in the middle: %d events seen, %d creates cut off", len(s.seen), s.mu.failed)
	}
	delete(items, "kube-root-ca.crt") // older than the watch
	events, err := s.open(s.seen[len(s.seen)-1].version)
	if err != nil {
		return err
	}
	if err := s.follow(events, func() bool { return len(s.seen) >= len(items) }); err != nil {
		return err
	}
	last := 0
	for _, e := range s.seen {
		version, err := strconv.Atoi(e.version)
		if err != nil || version <= last {
			return fmt.Errorf("event of %s has version %s after %d", e.name, e.version, last)
		}
		last = version
		if items[e.name] != e.version {
			return fmt.Errorf("the watch showed %s at %s, the list has %q", e.name, e.version, items[e.name])
		}
		delete(items, e.name)
	}
	if len(items) > 0 {
		return fmt.Errorf("the watch missed %d objects", len(items))
	}
	return nil
}
