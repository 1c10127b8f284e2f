// Package traffic sends and takes the traffic that the benchmark measures: streams of bytes, connections one after another,
// and HTTP requests. The benchmark uses it in the node's network, the program peer in pods.
//
// It decides nothing and owns the connections that it opens; what it measures it returns. An address where nobody answers is
// an error.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The ports of Serve.
const (
	StreamPort = "5001" // takes bytes until the client ends, then answers with one byte
	DialPort   = "5002" // answers each connection with one byte and closes it
	WebPort    = "8080" // answers HTTP requests: /work spins a processor for as long as the client waits
)

// Serve takes all three kinds of traffic until one of its listeners fails.
func Serve() error {
	failed := make(chan error, 3)
	for port, take := range map[string]func(net.Conn){StreamPort: swallow, DialPort: greet} {
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return fmt.Errorf("take traffic: %w", err)
		}
		go func() { failed <- accept(l, take) }()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/work", work)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "bench\n") })
	server := &http.Server{Addr: ":" + WebPort, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- server.ListenAndServe() }()
	return <-failed
}

func accept(l net.Listener, take func(net.Conn)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("take traffic: %w", err)
		}
		go func() {
			defer c.Close()
			take(c)
		}()
	}
}

// swallow tells the client by one byte that everything arrived; a client that is gone by then does not ask.
func swallow(c net.Conn) {
	if _, err := io.Copy(io.Discard, c); err == nil {
		greet(c)
	}
}

func greet(c net.Conn) { c.Write([]byte{'!'}) } // the client sees what fails

func work(_ http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		for range 1 << 20 {
		}
	}
}

// Stream sends bytes to an address for a time, and returns how many arrived in a second.
func Stream(ctx context.Context, address string, limit time.Duration) (float64, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	begin, sent, block := time.Now(), 0, make([]byte, 128<<10)
	for time.Since(begin) < limit {
		n, err := c.Write(block)
		if err != nil {
			return 0, fmt.Errorf("send to %s: %w", address, err)
		}
		sent += n
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return 0, fmt.Errorf("send to %s: %w", address, err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return 0, fmt.Errorf("send to %s: %w", address, err)
	}
	return float64(sent) / time.Since(begin).Seconds(), nil
}

// dialers is how many connect at a time.
const dialers = 16

// Dial opens connections to an address for a time, each answered and closed before the next, and returns how many in a second.
func Dial(ctx context.Context, address string, limit time.Duration) (float64, error) {
	var all sync.WaitGroup
	counts, failed := make([]int, dialers), make([]error, dialers)
	begin := time.Now()
	for i := range dialers {
		all.Go(func() {
			for time.Since(begin) < limit && failed[i] == nil {
				failed[i] = greeted(ctx, address)
				counts[i]++
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begin).Seconds(), errors.Join(failed...)
}

func greeted(ctx context.Context, address string) error {
	c, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return fmt.Errorf("greet %s: %w", address, err)
	}
	return nil
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return c, nil
}

// Requests is what a series of HTTP requests took.
type Requests struct {
	Rate float64 // a second
	P99  time.Duration
}

// Get asks a URL for a time, as host and by so many clients at once over connections that they keep; each asks once at least.
func Get(ctx context.Context, url, host string, clients int, limit time.Duration) (Requests, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var all sync.WaitGroup
	took, failed := make([][]time.Duration, clients), make([]error, clients)
	begin := time.Now()
	for i := range clients {
		all.Go(func() {
			for len(took[i]) == 0 || time.Since(begin) < limit && failed[i] == nil {
				at := time.Now()
				failed[i] = get(ctx, client, url, host)
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	all.Wait()
	seconds, calls := time.Since(begin).Seconds(), slices.Concat(took...)
	slices.Sort(calls)
	return Requests{float64(len(calls)) / seconds, calls[len(calls)*99/100]}, errors.Join(failed...)
}

func get(ctx context.Context, client *http.Client, url, host string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	r.Host = host
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s as %s: %s", url, host, answer.Status)
	}
	return nil
}
