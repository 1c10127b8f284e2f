package script

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vishvananda/netns"

	"proa/internal/nstest"
)

// traffic is a constant load on one URL.
type traffic struct {
	stop   chan struct{}
	done   sync.WaitGroup
	sent   atomic.Int64
	mu     sync.Mutex
	failed []string
}

// running holds each script's traffic by its work folder.
var running sync.Map

// load keeps asking a URL from the script's host: "load start URL", and "load stop" fails the script if any request failed
// or none was sent.
func load(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case len(args) == 2 && args[0] == "start" && !neg:
		tr := &traffic{stop: make(chan struct{})}
		ns, err := netns.GetFromName(ts.Getenv("NETNS"))
		ts.Check(err)
		running.Store(ts.Getenv("WORK"), tr)
		ts.Defer(func() { tr.end(); ns.Close() })
		for range 4 {
			tr.done.Go(func() { tr.ask(ns, args[1]) })
		}
	case len(args) == 1 && args[0] == "stop":
		v, ok := running.Load(ts.Getenv("WORK"))
		if !ok {
			ts.Fatalf("no load was started")
		}
		tr := v.(*traffic)
		tr.end()
		ts.Logf("%d requests, %d failed", tr.sent.Load(), len(tr.failed))
		if tr.sent.Load() == 0 {
			ts.Fatalf("no request was sent")
		}
		if (len(tr.failed) > 0) != neg {
			ts.Fatalf("%d of %d requests failed: %v", len(tr.failed), tr.sent.Load(), tr.failed[:min(5, len(tr.failed))])
		}
	default:
		ts.Fatalf("usage: load start URL | load stop")
	}
}

func (tr *traffic) end() {
	tr.mu.Lock()
	select {
	case <-tr.stop:
	default:
		close(tr.stop)
	}
	tr.mu.Unlock()
	tr.done.Wait()
}

// ask sends one request after another, each on a connection of its own, so that every one passes the packet rules anew.
func (tr *traffic) ask(ns netns.NsHandle, url string) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: nstest.Dialer(ns)}}
	for {
		select {
		case <-tr.stop:
			return
		default:
		}
		resp, err := client.Get(url)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %s", resp.Status)
			}
		}
		tr.sent.Add(1)
		if err != nil {
			tr.mu.Lock()
			tr.failed = append(tr.failed, fmt.Sprintf("%s: %v", time.Now().Format("15:04:05.000"), err))
			tr.mu.Unlock()
		}
	}
}
