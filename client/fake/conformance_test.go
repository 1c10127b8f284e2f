package fake_test

import (
	"testing"

	"proa/client"
	"proa/client/clienttest"
	"proa/client/fake"
	"proa/kinds"
)

func TestConformance(t *testing.T) {
	clienttest.Run(t, func(*testing.T) client.Client { return fake.New(fake.Config{Kinds: kinds.Builtin()}).As("tester") })
}
