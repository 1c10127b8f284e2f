package serve

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	client "k8s.io/client-go/tools/remotecommand"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"proa/internal/gone"
	"proa/node/run"
)

const (
	// idleTimeout ends a stream on which nothing happens, as the kubelet's default does.
	idleTimeout = 4 * time.Hour
	// creationTimeout is how long a client may take to open all streams of a session.
	creationTimeout = 30 * time.Second
	// pingPeriod keeps the runtime, which has a limit of its own, from ending a session that is idle.
	pingPeriod = 5 * time.Second
)

// exec runs a command in a container for the caller, over SPDY or WebSocket.
func (s *Server) exec(w http.ResponseWriter, r *http.Request) {
	s.session(w, r, func(ctx context.Context, id string, options *remotecommand.Options) (string, error) {
		response, err := s.cfg.Runtime.Exec(ctx, &runtimeapi.ExecRequest{ContainerId: id, Cmd: r.URL.Query()[v1.ExecCommandParam],
			Tty: options.TTY, Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr})
		return response.GetUrl(), err
	})
}

// attach joins the caller to a container's first process.
func (s *Server) attach(w http.ResponseWriter, r *http.Request) {
	s.session(w, r, func(ctx context.Context, id string, options *remotecommand.Options) (string, error) {
		response, err := s.cfg.Runtime.Attach(ctx, &runtimeapi.AttachRequest{ContainerId: id,
			Tty: options.TTY, Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr})
		return response.GetUrl(), err
	})
}

// session finds the container, asks the runtime for a streaming URL, and joins it with the caller's streams. The runtime is asked
// before the connection is taken over, so that its refusal is an HTTP status.
func (s *Server) session(w http.ResponseWriter, r *http.Request, open func(context.Context, string, *remotecommand.Options) (string, error)) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	served, ok := s.podOf(w, r)
	if !ok {
		return
	}
	container := r.PathValue("container")
	in, ok := newest(served, container, false)
	if !ok || !in.Running {
		http.Error(w, fmt.Sprintf("container not found (%q)", container), http.StatusInternalServerError)
		return
	}
	location, err := open(r.Context(), in.ID, options)
	if err != nil {
		http.Error(w, status.Convert(err).Message(), http.StatusInternalServerError)
		return
	}
	target, err := url.Parse(location)
	if err != nil {
		http.Error(w, "the runtime's streaming address is no URL", http.StatusInternalServerError)
		return
	}
	w, r, end := whileClient(w, r)
	defer end()
	joined := &joined{target: target, options: options, heldFor: s.cfg.HeldFor}
	if wsstream.IsWebSocketRequestWithStreamCloseProtocol(r) {
		s.serveV5(w, r, joined, options)
		return
	}
	remotecommand.ServeExec(w, r, joined, served.Pod.Name, string(served.Pod.UID), container, nil, options,
		idleTimeout, creationTimeout, remotecommand.SupportedStreamingProtocols)
}

// podOf finds the pod of a request; the uid in the path, if there is one, must be its own.
func (s *Server) podOf(w http.ResponseWriter, r *http.Request) (run.Served, bool) {
	served, ok := s.cfg.Pods.Pod(r.PathValue("namespace"), r.PathValue("pod"))
	if uid := r.PathValue("uid"); ok && uid != "" && uid != string(served.Pod.UID) {
		ok = false
	}
	if !ok {
		http.Error(w, "pod does not exist", http.StatusNotFound)
	}
	return served, ok
}

// joined connects a session to the runtime's streaming server: between the two, streams and not frames are copied, so
// the caller may speak another protocol than the runtime, and either side's pace holds back the other.
type joined struct {
	target  *url.URL
	options *remotecommand.Options
	heldFor time.Duration
}

// ExecInContainer implements remotecommand.Executor, for attach as well. An exit code comes back as the error that the protocol
// handlers know.
func (j *joined) ExecInContainer(ctx context.Context, _, _, _ string, _ []string, in io.Reader, out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Direct, without a proxy from the environment: the address is the runtime's on this machine.
	transport := &http.Transport{DialContext: func(dialling context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(dialling, network, address)
		if err != nil {
			return nil, err
		}
		// Below the streams: to end one is a frame, which waits while what was sent before is not taken.
		context.AfterFunc(ctx, func() { gone.Abort(conn) })
		return conn, nil
	}}
	upgrader, err := spdy.NewRoundTripperWithConfig(spdy.RoundTripperConfig{UpgradeTransport: transport, PingPeriod: pingPeriod})
	if err != nil {
		return fmt.Errorf("connect the runtime's stream: %w", err)
	}
	executor, err := client.NewSPDYExecutorForTransports(upgrader, upgrader, http.MethodPost, j.target)
	if err != nil {
		return fmt.Errorf("connect the runtime's stream: %w", err)
	}
	// The handlers pass a stand-in for a channel that is not wanted; the runtime waits for what it was asked for, no more and no less.
	options := client.StreamOptions{Tty: tty}
	if j.options.Stdout {
		options.Stdout = out
	}
	if j.options.Stderr && !tty {
		options.Stderr = errOut
	}
	if j.options.Stdin {
		options.Stdin = in
		if to := cmp.Or(options.Stdout, options.Stderr); to != nil {
			options.Stdin = hold(ctx, in, to, j.heldFor)
		}
	}
	if tty {
		options.TerminalSizeQueue = sizes{ctx, resize}
	}
	return executor.StreamWithContext(ctx, options)
}

// sizes hands on the terminal's sizes.
type sizes struct {
	ctx    context.Context
	resize <-chan remotecommand.TerminalSize
}

// Next implements client.TerminalSizeQueue.
func (s sizes) Next() *client.TerminalSize {
	select {
	case size, ok := <-s.resize:
		if !ok {
			return nil
		}
		return &client.TerminalSize{Width: size.Width, Height: size.Height}
	case <-s.ctx.Done():
		return nil
	}
}
