package stream

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/proxy"

	"proa/apiserver/forward"
	"proa/store"
)

// servePodProxy forwards to a port of a pod.
func (s *Streams) servePodProxy(w http.ResponseWriter, r *http.Request, t Target) error {
	scheme, name, port, ok := utilnet.SplitSchemeNamePort(t.Name)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid pod request %q", t.Name))
	}
	pod, err := lookup[*corev1.Pod](s.cfg.Source.Snapshot(), "pods", t.Namespace, name)
	if err != nil {
		return err
	}
	if port == "" {
		port = firstPort(pod)
	}
	ip, err := podAddress(podIP(pod))
	if err != nil {
		return err
	}
	host := ip.String()
	if port != "" {
		host = net.JoinHostPort(host, port)
	} else if ip.Is6() {
		host = "[" + host + "]"
	}
	return t.passOn(w, r, &url.URL{Scheme: scheme, Host: host}, s.direct)
}

func firstPort(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		if ports := pod.Spec.Containers[i].Ports; len(ports) > 0 {
			return strconv.Itoa(int(ports[0].ContainerPort))
		}
	}
	return ""
}

func podIP(pod *corev1.Pod) string {
	if len(pod.Status.PodIPs) > 0 {
		return pod.Status.PodIPs[0].IP
	}
	return pod.Status.PodIP
}

// serveServiceProxy forwards to one of the pods behind a service.
func (s *Streams) serveServiceProxy(w http.ResponseWriter, r *http.Request, t Target) error {
	scheme, name, port, ok := utilnet.SplitSchemeNamePort(t.Name)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid service request %q", t.Name))
	}
	snap := s.cfg.Source.Snapshot()
	if number, err := strconv.ParseInt(port, 10, 64); err == nil {
		service, err := lookup[*corev1.Service](snap, "services", t.Namespace, name)
		if err != nil {
			return err
		}
		if port, ok = portName(service, number); !ok {
			return apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", number, name))
		}
	}
	endpoints, err := lookup[*corev1.Endpoints](snap, "endpoints", t.Namespace, name)
	if err != nil {
		return err
	}
	if len(endpoints.Subsets) == 0 {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", name))
	}
	candidates := backends(snap, endpoints, port)
	if len(candidates) == 0 {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", t.Name))
	}
	return t.passOn(w, r, &url.URL{Scheme: scheme, Host: candidates[rand.IntN(len(candidates))]}, s.direct)
}

func portName(service *corev1.Service, number int64) (string, bool) {
	for _, p := range service.Spec.Ports {
		if int64(p.Port) == number {
			return p.Name, true
		}
	}
	return "", false
}

// backends lists the addresses of a service that are pods'. An Endpoints object is written by users too, so an address counts
// only if the pod that it names is there and has it.
func backends(snap store.Snapshot, endpoints *corev1.Endpoints, port string) []string {
	var hosts []string
	for _, subset := range endpoints.Subsets {
		for _, p := range subset.Ports {
			if p.Name != port {
				continue
			}
			for _, a := range subset.Addresses {
				if isPodAddress(snap, endpoints.Namespace, &a) {
					hosts = append(hosts, net.JoinHostPort(a.IP, strconv.Itoa(int(p.Port))))
				}
			}
		}
	}
	return hosts
}

func isPodAddress(snap store.Snapshot, namespace string, a *corev1.EndpointAddress) bool {
	if _, err := podAddress(a.IP); err != nil || a.TargetRef == nil || a.TargetRef.Namespace != namespace {
		return false
	}
	pod, err := lookup[*corev1.Pod](snap, "pods", namespace, a.TargetRef.Name)
	if err != nil {
		return false
	}
	for _, ip := range pod.Status.PodIPs {
		if ip.IP == a.IP {
			return true
		}
	}
	return pod.Status.PodIP == a.IP
}

// serveNodeProxy forwards to a node's own API, or to another port of the node.
//
// The node takes whatever the API server sends for the API server's own wish. So a request that opens a stream needs
// "create" on nodes/proxy: with "get" alone, a WebSocket would run commands in every pod (kubernetes issue 83465, KEP-2862).
func (s *Streams) serveNodeProxy(w http.ResponseWriter, r *http.Request, t Target) error {
	scheme, name, port, ok := utilnet.SplitSchemeNamePort(t.Name)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid node request %q", t.Name))
	}
	if isUpgrade(r) || opensStream(proxyPath(r.URL.Path)) {
		if err := s.authorizeVerb(r.Context(), t, "create"); err != nil {
			return err
		}
	}
	node, err := lookup[*corev1.Node](s.cfg.Source.Snapshot(), "nodes", "", name)
	if err != nil {
		return err
	}
	ip, err := s.nodeAddress(node)
	if err != nil {
		return err
	}
	if own := strconv.Itoa(nodePort(node)); port == "" || port == own {
		return t.passOn(w, r, &url.URL{Scheme: "https", Host: net.JoinHostPort(name, own)}, s.nodes)
	}
	if !dialable(ip) {
		return apierrors.NewBadRequest("address not allowed")
	}
	return t.passOn(w, r, &url.URL{Scheme: scheme, Host: net.JoinHostPort(ip.String(), port)}, s.direct)
}

// opensStream names the paths of a node's API that run something or reach into a pod.
func opensStream(rest string) bool {
	first, _, _ := strings.Cut(strings.ToLower(path.Clean("/" + rest))[1:], "/")
	switch first {
	case "exec", "attach", "portforward", "run", "cri":
		return true
	}
	return false
}

func isUpgrade(r *http.Request) bool {
	return r.Header.Get("Upgrade") != "" || strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade")
}

// passOn sends the request to a location, whose path is what follows "/proxy" in the URL.
func (t Target) passOn(w http.ResponseWriter, r *http.Request, to *url.URL, through *http.Transport) error {
	if to.Scheme == "" {
		to.Scheme = "http"
	}
	to.Path = utilnet.JoinPreservingTrailingSlash(proxyPath(r.URL.Path))
	to.RawQuery = r.URL.RawQuery                      // for upgrades; the library takes the request's own otherwise
	if _, err := url.Parse(to.String()); err != nil { // a port that is no number
		return apierrors.NewBadRequest(fmt.Sprintf("invalid %s request %q", strings.TrimSuffix(t.Resource, "s"), t.Name))
	}
	forward.Serve(proxy.NewUpgradeAwareHandler(to, through, true, false, responder{}), w, r)
	return nil
}

// proxyPath is what follows the name and "/proxy" in a path; empty when nothing does, not even a slash.
//
//	/api/v1/namespaces/NAMESPACE/pods/NAME/proxy/REST
//	/api/v1/nodes/NAME/proxy/REST
func proxyPath(rest string) string {
	skip := 5 // api, v1, nodes, NAME, proxy
	if strings.HasPrefix(rest, "/api/v1/namespaces/") {
		skip = 7
	}
	for range skip {
		rest = strings.TrimPrefix(rest, "/")
		_, after, found := strings.Cut(rest, "/")
		if !found {
			return ""
		}
		rest = "/" + after
	}
	return rest
}
