package run

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/internal/pause"
	"proa/node/pod"
)

func (w *worker) postStart(ctx context.Context, p *v1.Pod, a pod.Action, ips []string) error {
	c := pod.FindContainer(p, a.Container)
	if c == nil || c.Lifecycle == nil || c.Lifecycle.PostStart == nil {
		return nil
	}
	return w.hook(ctx, c, a.ID, c.Lifecycle.PostStart, ips)
}

// hook runs one lifecycle handler and returns when it is through.
func (w *worker) hook(ctx context.Context, c *v1.Container, id string, h *v1.LifecycleHandler, ips []string) error {
	switch {
	case h.Exec != nil:
		stdout, stderr, code, err := w.runner.Runtime.ExecSync(ctx, id, h.Exec.Command, 0)
		if err == nil && code != 0 {
			err = fmt.Errorf("command exited with %d: %s%s", code, stdout, stderr)
		}
		return err
	case h.HTTPGet != nil:
		return httpHook(ctx, c, h.HTTPGet, ips)
	case h.TCPSocket != nil:
		port, err := resolvePort(c, h.TCPSocket.Port)
		if err != nil {
			return err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(hostOr(h.TCPSocket.Host, ips), port))
		if err == nil {
			conn.Close()
		}
		return err
	case h.Sleep != nil:
		pause.For(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
		return nil // also when the grace period ended it
	}
	return fmt.Errorf("invalid handler: %v", h)
}

func hostOr(host string, ips []string) string {
	if host == "" && len(ips) > 0 {
		return ips[0]
	}
	return host
}

func resolvePort(c *v1.Container, port intstr.IntOrString) (string, error) {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue()), nil
	}
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			return strconv.Itoa(int(p.ContainerPort)), nil
		}
	}
	if _, err := strconv.Atoi(port.StrVal); err == nil {
		return port.StrVal, nil
	}
	return "", fmt.Errorf("couldn't find port: %v in container %s", port, c.Name)
}

// httpHook asks once and follows no redirect: a container must not send the agent elsewhere.
func httpHook(ctx context.Context, c *v1.Container, get *v1.HTTPGetAction, ips []string) error {
	port, err := resolvePort(c, get.Port)
	if err != nil {
		return err
	}
	target, err := url.Parse(get.Path)
	if err != nil {
		return fmt.Errorf("parse path of hook: %w", err)
	}
	target.Scheme, target.Host = strings.ToLower(string(get.Scheme)), net.JoinHostPort(hostOr(get.Host, ips), port)
	if target.Scheme == "" {
		target.Scheme = "http"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	for _, h := range get.HTTPHeaders {
		if strings.EqualFold(h.Name, "Host") {
			request.Host = h.Value
		}
		request.Header.Add(h.Name, h.Value)
	}
	// The certificate of a container cannot be known: probes and hooks verify none, as the API documents.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	caller := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := caller.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, 10<<10))
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("HTTP status %d", response.StatusCode)
	}
	return nil
}
