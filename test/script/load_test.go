package script

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
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
	url    string
	host   string // asked for; "": that of the URL
	client *http.Client
	stop   chan struct{}
	done   sync.WaitGroup
	sent   atomic.Int64
	mu     sync.Mutex
	failed []string
}

// running holds each script's traffic, a []*traffic, by its work folder.
var running sync.Map

// load keeps asking a URL from the script's host: "load start [-ca FILE] [-host NAME] URL", once or more, and "load stop" fails
// the script if any request failed or one of the loads sent none. -ca says whom to trust, -host whom to ask for.
func load(ts *testscript.TestScript, neg bool, args []string) {
	work := ts.Getenv("WORK")
	switch {
	case len(args) > 1 && args[0] == "start" && !neg:
		tr := newTraffic(ts, args[1:])
		before, _ := running.LoadOrStore(work, []*traffic(nil))
		running.Store(work, append(before.([]*traffic), tr))
		for range 4 {
			tr.done.Go(tr.ask)
		}
	case len(args) == 1 && args[0] == "stop":
		all, ok := running.LoadAndDelete(work)
		if !ok {
			ts.Fatalf("no load was started")
		}
		for _, tr := range all.([]*traffic) {
			tr.end()
			ts.Logf("%s: %d requests, %d failed", tr.url, tr.sent.Load(), len(tr.failed))
			if tr.sent.Load() == 0 {
				ts.Fatalf("%s: no request was sent", tr.url)
			}
			if (len(tr.failed) > 0) != neg {
				ts.Fatalf("%s: %d of %d requests failed: %v", tr.url, len(tr.failed), tr.sent.Load(), tr.failed[:min(5, len(tr.failed))])
			}
		}
	default:
		ts.Fatalf("usage: load start [-ca FILE] [-host NAME] URL | load stop")
	}
}

func newTraffic(ts *testscript.TestScript, args []string) *traffic {
	tr := &traffic{stop: make(chan struct{})}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	authority := flags.String("ca", "", "")
	flags.StringVar(&tr.host, "host", "", "")
	ts.Check(flags.Parse(args))
	tr.url = flags.Arg(0)
	trust := &tls.Config{ServerName: tr.host}
	if *authority != "" {
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AppendCertsFromPEM([]byte(ts.ReadFile(*authority)))
	}
	ns, err := netns.GetFromName(ts.Getenv("NETNS"))
	ts.Check(err)
	// Each request has a connection of its own, so that every one passes the packet rules anew.
	tr.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: nstest.Dialer(ns), TLSClientConfig: trust}}
	ts.Defer(func() { tr.end(); ns.Close() })
	return tr
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

// ask sends one request after another.
func (tr *traffic) ask() {
	for {
		select {
		case <-tr.stop:
			return
		default:
		}
		err := tr.once()
		tr.sent.Add(1)
		if err != nil {
			tr.mu.Lock()
			tr.failed = append(tr.failed, fmt.Sprintf("%s: %v", time.Now().Format("15:04:05.000"), err))
			tr.mu.Unlock()
		}
	}
}

func (tr *traffic) once() error {
	req, err := http.NewRequest(http.MethodGet, tr.url, nil)
	if err != nil {
		return err
	}
	req.Host = tr.host
	resp, err := tr.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return err
}
