package probe

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"
)

// checkGRPC asks grpc.health.v1.Health. Every way to fail is an unhealthy answer, as with the tool that this kind of probe
// replaced.
func checkGRPC(ctx context.Context, host string, action *v1.GRPCAction, timeout time.Duration) (answer, string) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	address := net.JoinHostPort(host, strconv.Itoa(int(action.Port)))
	d := dialer()
	// Dialed first, so that "cannot connect" and "does not answer" differ; passthrough: the address needs no resolver.
	first, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() != nil {
			return failure, fmt.Sprintf("timeout: failed to connect service %q within %v: %+v", address, timeout, context.DeadlineExceeded)
		}
		return failure, fmt.Sprintf("error: failed to connect service at %q: %+v", address, err)
	}
	conns := make(chan net.Conn, 1)
	conns <- first
	defer func() {
		select {
		case conn := <-conns: // nobody took it
			conn.Close()
		default:
		}
	}()
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		select {
		case conn := <-conns:
			return conn, nil
		default:
			return d.DialContext(ctx, "tcp", address)
		}
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithUserAgent(userAgent), grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return failure, fmt.Sprintf("error: failed to connect service at %q: %+v", address, err)
	}
	defer conn.Close()
	service := ""
	if action.Service != nil {
		service = *action.Service
	}
	response, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	switch status.Code(err) {
	case codes.OK:
	case codes.Unimplemented:
		return failure, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " + status.Convert(err).Message()
	case codes.DeadlineExceeded:
		return failure, fmt.Sprintf("timeout: health rpc did not complete within %v", timeout)
	default:
		return failure, fmt.Sprintf("error: health rpc probe failed: %+v", err)
	}
	if got := response.GetStatus(); got != grpc_health_v1.HealthCheckResponse_SERVING {
		return failure, fmt.Sprintf("service unhealthy (responded with %q)", got.String())
	}
	return success, "service healthy"
}
