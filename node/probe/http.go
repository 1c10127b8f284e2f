package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// userAgent is what containers log, and some match.
const userAgent = "kube-probe/1.36"

type httpProber struct{ transport *http.Transport }

func newHTTPProber() *httpProber {
	return &httpProber{&http.Transport{
		// The certificate of a container cannot be known: probes verify none, as the API documents.
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext:        dialer().DialContext, // no proxy: the node asks its own pods
		ForceAttemptHTTP2:  true,
	}}
}

// dialer keeps a closed connection in TIME_WAIT for a second instead of a minute: probes are many.
func dialer() *net.Dialer {
	return &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: 1})
		})
		return errors.Join(err, failed)
	}}
}

func (c *probed) httpGet(ctx context.Context, get *v1.HTTPGetAction, timeout time.Duration) (answer, string, error) {
	request, err := c.request(ctx, get)
	if err != nil {
		return 0, "", err
	}
	caller := &http.Client{Timeout: timeout, Transport: c.probes.http.transport, CheckRedirect: onlySameHost}
	response, err := caller.Do(request)
	if err != nil {
		return failure, err.Error(), nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, messageLimit))
	if err != nil {
		return 0, "", err
	}
	switch code := response.StatusCode; {
	case code >= http.StatusOK && code < http.StatusMultipleChoices:
		return success, string(body), nil
	case code >= http.StatusMultipleChoices && code < http.StatusBadRequest:
		return warning, fmt.Sprintf("Probe terminated redirects, Response body: %v", string(body)), nil
	default:
		// Without the body: it may hold what is not meant for readers of events.
		return failure, fmt.Sprintf("HTTP probe failed with statuscode: %d", code), nil
	}
}

// onlySameHost keeps a container from sending the node to other hosts.
func onlySameHost(request *http.Request, via []*http.Request) error {
	if request.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

func (c *probed) request(ctx context.Context, get *v1.HTTPGetAction) (*http.Request, error) {
	port, err := c.port(get.Port)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(get.Path)
	if err != nil {
		target = &url.URL{Path: get.Path} // as it is: it was accepted
	}
	target.Scheme, target.Host = "http", net.JoinHostPort(c.host(get.Host), port)
	if get.Scheme != "" {
		target.Scheme = strings.ToLower(string(get.Scheme))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header = http.Header{}
	for _, header := range get.HTTPHeaders {
		request.Header.Add(header.Name, header.Value)
	}
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header.Set("User-Agent", userAgent)
	}
	if values, ok := request.Header["Accept"]; !ok {
		request.Header.Set("Accept", "*/*")
	} else if values[0] == "" {
		request.Header.Del("Accept")
	}
	request.Host = request.Header.Get("Host")
	return request, nil
}

func (c *probed) host(given string) string {
	if given == "" {
		return c.podIP
	}
	return given
}

// port resolves a name among the container's ports.
func (c *probed) port(given intstr.IntOrString) (string, error) {
	port := given.IntValue()
	if given.Type == intstr.String {
		for _, p := range c.spec.Ports {
			if p.Name == given.StrVal {
				port = int(p.ContainerPort)
			}
		}
	}
	if port <= 0 || port > 65535 {
		return "", fmt.Errorf("invalid port number: %v", given.String())
	}
	return strconv.Itoa(port), nil
}

func (c *probed) tcpSocket(ctx context.Context, action *v1.TCPSocketAction, timeout time.Duration) (answer, string, error) {
	port, err := c.port(action.Port)
	if err != nil {
		return 0, "", err
	}
	d := dialer()
	d.Timeout = timeout
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(c.host(action.Host), port))
	if err != nil {
		return failure, err.Error(), nil
	}
	conn.Close()
	return success, "", nil
}
