//go:build tools

// Package lint names the checkers, so that go.mod and go.sum pin them.
package lint

import _ "honnef.co/go/tools/cmd/staticcheck"
