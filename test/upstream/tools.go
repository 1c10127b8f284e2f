//go:build tools

// Package upstream names what is built of upstream: `go test -c` of a package of another module needs that module in use.
package upstream

import _ "k8s.io/kubernetes/test/e2e"
