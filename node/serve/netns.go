package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/run"
)

// dialPod connects to a port on the pod's own loopback interface, where programs that listen on localhost only are heard as well.
func (s *Server) dialPod(ctx context.Context, pod run.Served, port int32) (net.Conn, error) {
	var dial func(address string) (net.Conn, error)
	direct := func(address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
	if pod.Pod.Spec.HostNetwork {
		dial = direct
	} else {
		namespace, err := s.networkNamespace(ctx, pod.SandboxID)
		if err != nil {
			return nil, err
		}
		dial = func(address string) (net.Conn, error) {
			return within(namespace, func() (net.Conn, error) { return direct(address) })
		}
	}
	var errs []error
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := dial(net.JoinHostPort(host, strconv.Itoa(int(port))))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("failed to connect to localhost:%d inside pod %q: %w", port, pod.Pod.UID, errors.Join(errs...))
}

// networkNamespace is the file that holds the sandbox's network namespace.
func (s *Server) networkNamespace(ctx context.Context, sandbox string) (string, error) {
	response, err := s.cfg.Runtime.PodSandboxStatus(ctx, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: sandbox, Verbose: true})
	if err != nil {
		return "", fmt.Errorf("find network of pod: %w", err)
	}
	// The runtime's own report; its form is not part of the CRI, but containerd and CRI-O share this much.
	var info struct {
		RuntimeSpec struct {
			Linux struct {
				Namespaces []struct{ Type, Path string }
			}
		}
	}
	if err := json.Unmarshal([]byte(response.GetInfo()["info"]), &info); err != nil {
		return "", fmt.Errorf("find network of pod: %w", err)
	}
	for _, namespace := range info.RuntimeSpec.Linux.Namespaces {
		if namespace.Type == "network" && namespace.Path != "" {
			return namespace.Path, nil
		}
	}
	return "", errors.New("find network of pod: the runtime does not tell its network namespace")
}

// within dials in another network namespace: a socket belongs for good to the one it was made in. The thread goes back; if
// it cannot, it ends with the goroutine, which stays locked to it.
func within(namespace string, dial func() (net.Conn, error)) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		conn, home, err := switched(namespace, dial)
		if home {
			runtime.UnlockOSThread()
		}
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func switched(namespace string, dial func() (net.Conn, error)) (conn net.Conn, home bool, err error) {
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, true, err
	}
	defer own.Close()
	other, err := os.Open(namespace)
	if err != nil {
		return nil, true, fmt.Errorf("open network of pod: %w", err)
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, true, fmt.Errorf("enter network of pod: %w", err)
	}
	conn, err = dial()
	return conn, unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil, err
}
