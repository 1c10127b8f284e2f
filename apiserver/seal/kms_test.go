package seal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// While the store is open, a plug-in that has another key encrypts another data key, and one that is away changes nothing.
func TestKMSKeyIsFollowed(t *testing.T) {
	dir := t.TempDir()
	socket, path := filepath.Join(dir, "s"), filepath.Join(dir, "config")
	config(t, path, kmsOf(socket))
	stop := startPlugin(t, socket, "k1")
	s, f := follow(t, path, false)
	log := openLog(t, filepath.Join(dir, "store"), s)
	write(t, log, dbKey, "battery")
	k := s.plugins()[0]
	k.timeout = 10 * time.Millisecond
	first := k.current.Load()
	stop()
	if err := f.look(t.Context()); err == nil || k.current.Load() != first {
		t.Errorf("the plug-in is away: %v", err)
	}
	k.timeout = 20 * time.Second
	stop = startPlugin(t, socket, "k1")
	if err := f.look(t.Context()); err != nil || k.current.Load() != first {
		t.Errorf("the key is the same: %v", err)
	}
	stop()
	startPlugin(t, socket, "k2")
	if err := f.look(t.Context()); err != nil || k.current.Load().keyID != "k2" {
		t.Errorf("the key is another: %v", err)
	}
	write(t, log, dbKey, "staple")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = openLog(t, filepath.Join(dir, "store"), providers(t, kmsOf(socket)))
	defer log.Close()
	if got := log.Snapshot().Get(dbKey).Value(); got != "staple" {
		t.Error(got)
	}
}

// A call whose connection breaks, as when a plug-in is restarted in the middle of it, is made again.
func TestKMSCallIsMadeAgain(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	breaks := &breaking{Listener: l}
	var asked atomic.Int32
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		if asked.Add(1) == 1 {
			_ = breaks.last.Close() // it is what the test is about
		}
		return h(ctx, r)
	}))
	kmsv2.RegisterKeyManagementServiceServer(s, &plugin{current: "k1"})
	go func() { _ = s.Serve(breaks) }() // ends with Stop
	defer s.Stop()
	if k := providers(t, kmsOf(socket)).plugins()[0]; k.current.Load().keyID != "k1" {
		t.Error(k.current.Load().keyID)
	}
	if n := asked.Load(); n < 3 {
		t.Errorf("%d calls arrived, want the broken one, the same again and one that encrypts", n)
	}
}

// breaking is a listener that keeps the connection it accepted last.
type breaking struct {
	net.Listener
	last net.Conn
}

func (b *breaking) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err == nil {
		b.last = c
	}
	return c, err
}

// config writes a configuration file.
func config(t *testing.T, path, providers string) {
	t.Helper()
	text := "{apiVersion: apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, resources: [{resources: [secrets], providers: " + providers + "}]}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func follow(t *testing.T, path string, reload bool) (*Sealer, *Follower) {
	t.Helper()
	s, err := Load(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Follow(path, nil, s, reload, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

// A file that has changed is taken up by the next row, if that is wanted; one that is wrong is not.
func TestFileIsFollowed(t *testing.T) {
	key := func(name string) string {
		return aesgcm(name, base64.StdEncoding.EncodeToString([]byte(name+strings.Repeat("k", 31))))
	}
	for _, reload := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "config")
		config(t, path, "["+key("a")+"]")
		s, f := follow(t, path, reload)
		writer := func() string {
			if !s.Seals("secrets") {
				return "nobody"
			}
			sealed, err := s.Seal("secrets", []byte("at"), []byte("data"))
			if err != nil {
				t.Fatal(err)
			}
			if data, stale, err := s.Open("secrets", []byte("at"), sealed); err != nil || stale || string(data) != "data" {
				t.Errorf("it opens as %q, stale %v: %v", data, stale, err)
			}
			return keyName(sealed)
		}
		wantAfter := map[bool]string{false: "aesgcm:a", true: "aesgcm:b"}[reload]
		config(t, path, "["+key("b")+", "+key("a")+"]")
		if got := writer(); got != "aesgcm:a" {
			t.Errorf("before a look, %s seals", got)
		}
		if err := f.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := writer(); got != wantAfter {
			t.Errorf("reload %v: %s seals", reload, got)
		}
		config(t, path, "[{aesgcm: {keys: []}}]")
		if err := f.look(t.Context()); (err != nil) != reload {
			t.Errorf("reload %v: the file is wrong: %v", reload, err)
		}
		if got := writer(); got != wantAfter {
			t.Errorf("reload %v: after a wrong file %s seals", reload, got)
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
