package healthcheck_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"proa/network/healthcheck"
	"proa/network/ruleset"
)

// ports stands for a node's ports: each is one of the machine's that is free.
type ports map[uint16]string

func (p ports) listen(port uint16) (net.Listener, error) {
	if port == 1 {
		return nil, errors.New("address already in use")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		p[port] = l.Addr().String()
	}
	return l, err
}

func (p ports) ask(t *testing.T, port uint16) string {
	t.Helper()
	resp, err := http.Get("http://" + p[port] + "/")
	if err != nil {
		return "closed"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d weight %s %s", resp.StatusCode, resp.Header.Get("X-Load-Balancing-Endpoint-Weight"), body)
}

func TestAnswers(t *testing.T) {
	p := ports{}
	s := healthcheck.New(slog.New(slog.DiscardHandler), p.listen)
	expect := func(port uint16, want string) {
		t.Helper()
		if got := p.ask(t, port); got != want {
			t.Errorf("port %d answers %s\nwant %s", port, got, want)
		}
	}
	text := func(code, local int, healthy bool) string {
		return fmt.Sprintf("%d weight %d {\n\t\"service\": {\n\t\t\"namespace\": \"shop\",\n\t\t\"name\": \"web\"\n\t},\n\t\"localEndpoints\": %d,\n\t\"serviceProxyHealthy\": %t\n}", code, local, local, healthy)
	}
	check := func(port uint16, local int) ruleset.Check {
		return ruleset.Check{Port: port, Namespace: "shop", Name: "web", Local: local}
	}
	s.Set([]ruleset.Check{check(30100, 2), check(1, 1)}, true) // one port is taken, which does the other no harm
	expect(30100, text(200, 2, true))
	s.Set([]ruleset.Check{check(30100, 0)}, true)
	expect(30100, text(503, 0, true))
	s.Set([]ruleset.Check{check(30100, 1), check(30200, 1)}, false)
	expect(30100, text(503, 1, false))
	expect(30200, text(503, 1, false))
	s.Set([]ruleset.Check{check(30200, 1)}, true)
	expect(30100, "closed")
	expect(30200, text(200, 1, true))
	s.Set(nil, true)
	expect(30200, "closed")
}
