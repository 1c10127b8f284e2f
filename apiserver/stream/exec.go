package stream

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/proxy"

	"proa/apiserver/forward"
)

// serveStream joins the client's upgraded connection to one with the pod's node, byte by byte: what is spoken on it, SPDY or
// WebSocket, is between the client and the node.
//
// Whether a stream may be opened is a question of "create", whichever transport carries it: a WebSocket starts with a GET,
// which the filters took for "get".
func (s *Streams) serveStream(w http.ResponseWriter, r *http.Request, t Target) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return apierrors.NewMethodNotSupported(corev1.Resource(t.Resource+"/"+t.Subresource), strings.ToLower(r.Method))
	}
	if err := s.authorizeVerb(r.Context(), t, "create"); err != nil {
		return err
	}
	pod, err := lookup[*corev1.Pod](s.cfg.Source.Snapshot(), "pods", t.Namespace, t.Name)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	path, params, err := streamLocation(pod, t.Subresource, query)
	if err != nil {
		return err
	}
	if pod.Spec.NodeName == "" {
		return apierrors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", pod.Name))
	}
	host, err := s.nodeHost(pod.Spec.NodeName)
	if err != nil {
		return err
	}
	location := &url.URL{Scheme: "https", Host: host, Path: path, RawQuery: params.Encode()}
	forward.Serve(proxy.NewUpgradeAwareHandler(location, s.nodes, false, true, responder{}), w, r)
	return nil
}

// streamLocation is the path and query on the node. Only parameters that the API knows go there.
func streamLocation(pod *corev1.Pod, subresource string, query url.Values) (string, url.Values, error) {
	params := url.Values{}
	if subresource == "portforward" {
		ports, err := ports(query)
		if err != nil {
			return "", nil, err
		}
		var texts []string
		for _, port := range ports {
			texts = append(texts, strconv.Itoa(int(port)))
		}
		if len(texts) > 0 {
			params.Set("port", strings.Join(texts, ","))
		}
		return "/portForward/" + pod.Namespace + "/" + pod.Name, params, nil
	}
	container, err := chooseContainer(pod, query.Get("container"))
	if err != nil {
		return "", nil, err
	}
	for _, p := range [...]struct{ from, to string }{
		{"stdin", corev1.ExecStdinParam}, {"stdout", corev1.ExecStdoutParam},
		{"stderr", corev1.ExecStderrParam}, {"tty", corev1.ExecTTYParam},
	} {
		if flag(query, p.from) {
			params.Set(p.to, "1")
		}
	}
	if subresource == "exec" {
		params["command"] = query["command"]
	}
	return "/" + subresource + "/" + pod.Namespace + "/" + pod.Name + "/" + container, params, nil
}

func ports(query url.Values) ([]int32, error) {
	var ports []int32
	for _, value := range query["ports"] {
		for _, text := range strings.Split(value, ",") {
			port, err := strconv.ParseUint(text, 10, 16)
			if err != nil || port == 0 {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse %q as a port", text))
			}
			ports = append(ports, int32(port))
		}
	}
	return ports, nil
}
