package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// protocolV5 is what kubectl speaks first: WebSocket channels as in version 4, and a frame that closes one of them, without which
// the end of standard input cannot be told (KEP-4006). The streaming library's server ends at version 4.
const protocolV5 = remotecommand.StreamProtocolV5Name

// serveV5 runs a session over one WebSocket.
func (s *Server) serveV5(w http.ResponseWriter, r *http.Request, session *joined, options *remotecommand.Options) {
	channel := func(wanted bool, kind wsstream.ChannelType) wsstream.ChannelType {
		if wanted {
			return kind
		}
		return wsstream.IgnoreChannel
	}
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{protocolV5: {Binary: true, Channels: []wsstream.ChannelType{
		remotecommand.StreamStdIn:  channel(options.Stdin, wsstream.ReadChannel),
		remotecommand.StreamStdOut: channel(options.Stdout, wsstream.WriteChannel),
		remotecommand.StreamStdErr: channel(options.Stderr, wsstream.WriteChannel),
		remotecommand.StreamErr:    wsstream.WriteChannel,
		remotecommand.StreamResize: wsstream.ReadChannel,
	}}})
	conn.SetIdleTimeout(idleTimeout)
	_, streams, err := conn.Open(w, r)
	if err != nil {
		s.cfg.Log.Debug("open WebSocket", "error", err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	resize := make(chan remotecommand.TerminalSize)
	go readSizes(ctx, streams[remotecommand.StreamResize], resize)
	var in io.Reader
	var out, errOut io.WriteCloser
	if options.Stdin {
		in = streams[remotecommand.StreamStdIn]
	}
	if options.Stdout {
		out = streams[remotecommand.StreamStdOut]
	}
	if options.Stderr {
		errOut = streams[remotecommand.StreamStdErr]
	}
	err = session.ExecInContainer(ctx, "", "", "", nil, in, out, errOut, options.TTY, resize, 0)
	if err := json.NewEncoder(streams[remotecommand.StreamErr]).Encode(sessionStatus(err)); err != nil {
		s.cfg.Log.Debug("write status of session", "error", err)
	}
}

func readSizes(ctx context.Context, from io.Reader, to chan<- remotecommand.TerminalSize) {
	defer close(to)
	decoder := json.NewDecoder(from)
	for {
		var size remotecommand.TerminalSize
		if decoder.Decode(&size) != nil {
			return
		}
		select {
		case to <- size:
		case <-ctx.Done():
			return
		}
	}
}

// sessionStatus is how a session's end is told: success, an exit code, or what went wrong.
func sessionStatus(err error) *metav1.Status {
	var exit utilexec.ExitError
	switch {
	case err == nil:
		return &metav1.Status{Status: metav1.StatusSuccess}
	case errors.As(err, &exit) && exit.Exited():
		return &metav1.Status{Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason,
			Message: "command terminated with non-zero exit code: " + err.Error(),
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: strconv.Itoa(exit.ExitStatus())}}}}
	}
	return &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Code: http.StatusInternalServerError,
		Message: "Internal error occurred: " + err.Error(),
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Message: err.Error()}}}}
}
