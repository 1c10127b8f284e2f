package seal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	kmsv2 "k8s.io/kms/apis/v2"
)

const pluginSocket, pluginKey = "PROA_TEST_KMS_SOCKET", "PROA_TEST_KMS_KEY"

// TestMain is also the program of the plug-in: a process of its own, as plug-ins are.
func TestMain(m *testing.M) {
	if socket := os.Getenv(pluginSocket); socket != "" {
		if err := servePlugin(socket, os.Getenv(pluginKey)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func servePlugin(socket, key string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	kmsv2.RegisterKeyManagementServiceServer(s, &plugin{current: key})
	return s.Serve(l)
}

// plugin encrypts with keys that are made of their names; it knows all names.
type plugin struct {
	kmsv2.UnimplementedKeyManagementServiceServer
	current string
}

func (p *plugin) Status(context.Context, *kmsv2.StatusRequest) (*kmsv2.StatusResponse, error) {
	if p.current == "ill" {
		return &kmsv2.StatusResponse{Version: "v2", Healthz: "the key store is locked", KeyId: p.current}, nil
	}
	return &kmsv2.StatusResponse{Version: "v2", Healthz: "ok", KeyId: p.current}, nil
}

func secretOf(key string) []byte { return []byte((key + strings.Repeat("k", 32))[:32]) }

func (p *plugin) Encrypt(_ context.Context, r *kmsv2.EncryptRequest) (*kmsv2.EncryptResponse, error) {
	sealed, err := sealWith(secretOf(p.current), nil, nil, r.Plaintext)
	return &kmsv2.EncryptResponse{Ciphertext: sealed, KeyId: p.current, Annotations: map[string][]byte{"plugin.example.com": []byte(p.current)}}, err
}

func (p *plugin) Decrypt(_ context.Context, r *kmsv2.DecryptRequest) (*kmsv2.DecryptResponse, error) {
	if string(r.Annotations["plugin.example.com"]) != r.KeyId {
		return nil, errors.New("the annotations did not come back")
	}
	plain, err := openWith(secretOf(r.KeyId), nil, r.Ciphertext)
	return &kmsv2.DecryptResponse{Plaintext: plain}, err
}

// startPlugin starts a plug-in and returns its socket and what ends it.
func startPlugin(t *testing.T, socket, key string) (stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), pluginSocket+"="+socket, pluginKey+"="+key)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = child.Process.Kill() // it may have ended
			_ = child.Wait()
		}
	}
	t.Cleanup(stop)
	return stop
}

func kmsOf(socket string) string {
	return "[{kms: {apiVersion: v2, name: vault, endpoint: \"unix://" + socket + "\", timeout: 20s}}]"
}

// Rows are sealed with keys that only the plug-in can open; when its key changes, the next start seals them anew.
func TestKMS(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	stop := startPlugin(t, socket, "k1")
	log := openLog(t, filepath.Join(dir, "store"), providers(t, kmsOf(socket)))
	write(t, log, dbKey, "battery staple")
	stop() // an open store needs it no more
	write(t, log, dbKey, "battery staple, again")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if disk := filepath.Join(dir, "store"); onDisk(t, disk, "battery staple") > 0 || onDisk(t, disk, "plugin.example.com") == 0 {
		t.Error("the rows are not sealed with the plug-in's key")
	}

	stop = startPlugin(t, socket, "k2")
	log = openLog(t, filepath.Join(dir, "store"), providers(t, kmsOf(socket)))
	if got := log.Snapshot().Get(dbKey).Value(); got != "battery staple, again" {
		t.Error(got)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	stop()
	startPlugin(t, socket, "k2")
	s := providers(t, kmsOf(socket))
	log = openLog(t, filepath.Join(dir, "store"), s)
	defer log.Close()
	for _, key := range s.rules[0].providers[0].(*kms).mu.known {
		if key.keyID != "k2" {
			t.Errorf("a row is still sealed under %s", key.keyID)
		}
	}
}

func TestKMSThatIsIll(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	startPlugin(t, socket, "ill")
	_, err := parse(t.Context(), []byte("{apiVersion: apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, resources: [{resources: [secrets], providers: "+kmsOf(socket)+"}]}"))
	if err == nil || !strings.Contains(err.Error(), "the key store is locked") {
		t.Errorf("%v", err)
	}
}

// nobody is a plug-in that cannot be reached.
type nobody struct {
	kmsv2.KeyManagementServiceClient
}

func (nobody) Decrypt(context.Context, *kmsv2.DecryptRequest, ...grpc.CallOption) (*kmsv2.DecryptResponse, error) {
	return nil, errors.New("nobody is there")
}
