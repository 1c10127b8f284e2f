package bootstraptoken

import (
	"testing"

	"github.com/go-jose/go-jose/v4"

	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{NewCleaner(), NewSigner()}
	})
}

// A joining node checks the signature with a library.
func TestSignatureIsJWS(t *testing.T) {
	// The library wants a longer secret than bootstrap tokens have; the signature is made alike.
	const content, id, secret = "apiVersion: v1\nkind: Config\n", "abcdef", "0123456789abcdef0123456789abcdef"
	signature, err := sign(content, id, secret)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseDetached(signature, []byte(content), []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify([]byte(secret)); err != nil {
		t.Error(err)
	}
	if _, err := parsed.Verify([]byte("0123456789abcdef0123456789abcdee")); err == nil {
		t.Error("another secret verifies it")
	}
	if parsed.Signatures[0].Header.KeyID != id {
		t.Errorf("key ID %q", parsed.Signatures[0].Header.KeyID)
	}
}
