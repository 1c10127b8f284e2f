package rootca_test

import (
	"os"
	"path/filepath"
	"testing"

	"proa/controllers/rootca"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata/certificates", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	trust := rootca.Trust{ClientCA: read("clients.crt"), RequestCA: read("proxies.crt"), AllowedNames: []string{"front-proxy-client"},
		UserHeaders: []string{"X-Remote-User"}, UIDHeaders: []string{"X-Remote-Uid"}, GroupHeaders: []string{"X-Remote-Group"},
		ExtraPrefixes: []string{"X-Remote-Extra-"}}
	reconciletest.Run(t, "testdata/scripts", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{rootca.New([]byte("PEM")), rootca.NewTrust(trust)}
	})
}
