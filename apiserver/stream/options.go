package stream

import (
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Options is what a connection asks for in its query, as an object of the API. rest is the path behind a proxy. It is nil for
// what is read and no connection, such as logs.
func Options(resource, subresource, rest string, query url.Values) (runtime.Object, error) {
	var kind string
	var options runtime.Object
	switch resource + "/" + subresource {
	case "pods/exec":
		kind, options = "PodExecOptions", &corev1.PodExecOptions{Stdin: flag(query, "stdin"), Stdout: flag(query, "stdout"),
			Stderr: flag(query, "stderr"), TTY: flag(query, "tty"), Container: query.Get("container"), Command: query["command"]}
	case "pods/attach":
		kind, options = "PodAttachOptions", &corev1.PodAttachOptions{Stdin: flag(query, "stdin"), Stdout: flag(query, "stdout"),
			Stderr: flag(query, "stderr"), TTY: flag(query, "tty"), Container: query.Get("container")}
	case "pods/portforward":
		ports, err := ports(query)
		if err != nil {
			return nil, err
		}
		kind, options = "PodPortForwardOptions", &corev1.PodPortForwardOptions{Ports: ports}
	case "pods/proxy":
		kind, options = "PodProxyOptions", &corev1.PodProxyOptions{Path: rest}
	case "services/proxy":
		kind, options = "ServiceProxyOptions", &corev1.ServiceProxyOptions{Path: rest}
	case "nodes/proxy":
		kind, options = "NodeProxyOptions", &corev1.NodeProxyOptions{Path: rest}
	default:
		return nil, nil
	}
	options.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind})
	return options, nil
}
