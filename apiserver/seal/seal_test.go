package seal

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"proa/internal/growth"
	"proa/store"
	"proa/store/pebblelog"
)

const keyA, keyB = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU="

// providers is a configuration for secrets.
func providers(t *testing.T, list string) *Sealer {
	t.Helper()
	s, err := parse(t.Context(), []byte("{apiVersion: apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, resources: [{resources: [secrets], providers: "+list+"}]}"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func aesgcm(name, secret string) string {
	return "{aesgcm: {keys: [{name: " + name + ", secret: " + secret + "}]}}"
}
func secretboxOf(name, secret string) string {
	return "{secretbox: {keys: [{name: " + name + ", secret: " + secret + "}]}}"
}

// What a key sealed is opened by it alone, at its own place alone, and only as it was.
func TestSealedRows(t *testing.T) {
	for _, with := range []func(name, secret string) string{aesgcm, secretboxOf} {
		s := providers(t, "["+with("a", keyA)+"]")
		at, secret := []byte("secrets/default/db"), []byte("the password")
		sealed, err := s.Seal("secrets", at, secret)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Seal("secrets", at, secret)
		if err != nil || bytes.Contains(sealed, secret) || bytes.Equal(sealed, again) {
			t.Fatalf("sealed twice: %q %q %v", sealed, again, err)
		}
		if data, stale, err := s.Open("secrets", at, sealed); err != nil || stale || !bytes.Equal(data, secret) {
			t.Fatalf("opened %q stale %v: %v", data, stale, err)
		}
		if _, _, err := s.Open("secrets", []byte("secrets/default/other"), sealed); err == nil {
			t.Error("a row was moved to another name and opened there")
		}
		for i := range sealed {
			tampered := bytes.Clone(sealed)
			tampered[i] ^= 1
			if _, _, err := s.Open("secrets", at, tampered); err == nil {
				t.Fatalf("byte %d was changed and nobody noticed", i)
			}
			if _, _, err := s.Open("secrets", at, sealed[:i]); err == nil {
				t.Fatalf("cut after %d bytes and nobody noticed", i)
			}
		}
		newer := providers(t, "["+with("b", keyB)+", "+with("a", keyA)+"]")
		if data, stale, err := newer.Open("secrets", at, sealed); err != nil || !stale || !bytes.Equal(data, secret) {
			t.Errorf("behind a new key: %q stale %v: %v", data, stale, err)
		}
		if _, _, err := providers(t, "["+with("b", keyB)+"]").Open("secrets", at, sealed); err == nil || !strings.Contains(err.Error(), `:a"`) {
			t.Errorf("without its key: %v", err)
		}
		if _, _, err := providers(t, "["+with("a", keyB)+"]").Open("secrets", at, sealed); err == nil {
			t.Error("opened with another key of the same name")
		}
	}
}

func TestRules(t *testing.T) {
	s, err := parse(t.Context(), []byte(`{apiVersion: apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, resources: [
		{resources: [events, "*.apps"], providers: [{identity: {}}]},
		{resources: ["*."], providers: [`+aesgcm("core", keyA)+`]},
		{resources: [widgets.example.com], providers: [`+aesgcm("widgets", keyB)+`, {identity: {}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]bool{"secrets": true, "events": false, "configmaps": true, "deployments.apps": false,
		"widgets.example.com": true, "gadgets.example.com": false, "leases.coordination.k8s.io": false} {
		if got := s.Seals(table); got != want {
			t.Errorf("%s: %v", table, got)
		}
	}
}

// TestConfigurations plays testdata: a configuration in, what is wrong with it out.
func TestConfigurations(t *testing.T) {
	datadriven.RunTest(t, "testdata/configurations", func(t *testing.T, d *datadriven.TestData) string {
		if _, err := parse(t.Context(), []byte(d.Input)); err != nil {
			return strings.ReplaceAll(err.Error(), ", resources[", ",\nresources[") + "\n"
		}
		return "ok\n"
	})
}

func openLog(t *testing.T, dir string, s store.Sealer) store.Store {
	t.Helper()
	log, err := pebblelog.Open(pebblelog.Options{Dir: dir, Decode: func(i *store.Item) any { return string(i.Data) }, Sealer: s, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

var dbKey = store.Key{Table: "secrets", Namespace: "default", Name: "db"}

func write(t *testing.T, log store.Store, key store.Key, data string) {
	t.Helper()
	if _, err := log.Commit(t.Context(), store.Op{Key: key, Expect: store.Any, Data: []byte(data), Value: data}); err != nil {
		t.Fatal(err)
	}
}

// onDisk counts the files below a directory that hold a text.
func onDisk(t *testing.T, dir, text string) (found int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			found++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The disk never sees a secret, in whichever version; readers and a restart do.
func TestDiskHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	own, err := OpenOwn(filepath.Join(dir, "keys"), time.Now(), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	log := openLog(t, filepath.Join(dir, "store"), own.Sealer())
	write(t, log, dbKey, "correct horse")
	write(t, log, dbKey, "battery staple")
	write(t, log, store.Key{Table: "configmaps", Namespace: "default", Name: "open"}, "for everybody")
	if _, err := log.Commit(t.Context(), store.Op{Key: dbKey, Expect: store.Any, Delete: true, Data: []byte("last words")}); err != nil {
		t.Fatal(err)
	}
	write(t, log, dbKey, "battery staple")
	check := func() {
		t.Helper()
		for text, want := range map[string]bool{"correct horse": false, "battery staple": false, "last words": false, "for everybody": true} {
			if got := onDisk(t, dir, text) > 0; got != want {
				t.Errorf("%q on the disk: %v", text, got)
			}
		}
	}
	check()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	check()
	log = openLog(t, filepath.Join(dir, "store"), own.Sealer())
	defer log.Close()
	if got := log.Snapshot().Get(dbKey).Value(); got != "battery staple" {
		t.Errorf("after a restart: %v", got)
	}
	past, err := log.SnapshotAt(1)
	if err != nil || past.Get(dbKey).Value() != "correct horse" {
		t.Errorf("the history after a restart: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "keys"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keys' file: %v %v", info.Mode(), err)
	}
}

// A directory from before encryption opens, and what was readable on its disk is encrypted, at the same revisions.
func TestOpensWhatWasInTheOpen(t *testing.T) {
	dir := t.TempDir()
	log := openLog(t, dir, nil)
	write(t, log, dbKey, "correct horse")
	write(t, log, dbKey, "battery staple")
	before := log.Snapshot().Get(dbKey)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, dir, "correct horse") == 0 {
		t.Fatal("the test sees nothing: the secret should be in the open here")
	}
	log = openLog(t, dir, providers(t, "["+aesgcm("a", keyA)+"]"))
	after := log.Snapshot().Get(dbKey)
	if after.Value() != "battery staple" || after.Revision != before.Revision || after.Created != before.Created {
		t.Errorf("was %d %d, is %d %d %v", before.Revision, before.Created, after.Revision, after.Created, after.Value())
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if n := onDisk(t, dir, "correct horse") + onDisk(t, dir, "battery staple"); n != 0 {
		t.Errorf("%d files still hold it", n)
	}
	if _, err := pebblelog.Open(pebblelog.Options{Dir: dir, Decode: func(*store.Item) any { return nil }}); err == nil || !strings.Contains(err.Error(), "no encryption is configured") {
		t.Errorf("opened without keys: %v", err)
	}
	// And back: with identity first, everything is in the open again.
	log = openLog(t, dir, providers(t, "[{identity: {}}, "+aesgcm("a", keyA)+"]"))
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = openLog(t, dir, nil)
	defer log.Close()
	if got := log.Snapshot().Get(dbKey).Value(); got != "battery staple" {
		t.Error(got)
	}
}

// A key writes for 90 days. The next start makes another, seals everything with it, and only then forgets the old one.
func TestOwnKeysRotate(t *testing.T) {
	dir := t.TempDir()
	path, now := filepath.Join(dir, "keys", "own.yaml"), time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	open := func() *Own {
		t.Helper()
		own, err := OpenOwn(path, now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return own
	}
	own := open()
	log := openLog(t, filepath.Join(dir, "store"), own.Sealer())
	write(t, log, dbKey, "battery staple")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 0, 89)
	if again := open(); again.names[0] != "2026-01-01" || len(again.names) != 1 {
		t.Errorf("too early: %v", again.names)
	}
	now = now.AddDate(0, 0, 2)
	if crashed := open(); len(crashed.names) != 2 { // before the log was opened
		t.Errorf("a new key is due: %v", crashed.names)
	}
	own = open()
	log = openLog(t, filepath.Join(dir, "store"), own.Sealer())
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := own.Settle(); err != nil {
		t.Fatal(err)
	}
	own = open()
	if len(own.names) != 1 || own.names[0] != "2026-04-02" {
		t.Fatalf("keys %v", own.names)
	}
	log = openLog(t, filepath.Join(dir, "store"), own.Sealer())
	defer log.Close()
	if got := log.Snapshot().Get(dbKey).Value(); got != "battery staple" {
		t.Error(got)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOwn(path, now, slog.Default()); err == nil {
		t.Error("a damaged file was taken for no file: every secret would be lost")
	}
}

// A cluster that is given a configuration still reads what its own keys sealed.
func TestConfigurationAfterOwnKeys(t *testing.T) {
	dir := t.TempDir()
	own, err := OpenOwn(filepath.Join(dir, "own"), time.Now(), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	at := []byte("at")
	sealed, err := own.Sealer().Seal("secrets", at, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("{apiVersion: apiserver.config.k8s.io/v1, kind: EncryptionConfiguration, resources: [{resources: [secrets], providers: ["+
		secretboxOf("a", keyA)+"]}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(t.Context(), config, own)
	if err != nil {
		t.Fatal(err)
	}
	if data, stale, err := s.Open("secrets", at, sealed); err != nil || !stale || string(data) != "x" {
		t.Errorf("%q %v %v", data, stale, err)
	}
}

func FuzzOpen(f *testing.F) {
	s := &Sealer{rules: []rule{{resources: []string{"secrets"}, providers: []provider{&aesGCM{"a", make([]byte, 32)}, &box{name: "b"}, &kms{name: "c", plugin: nobody{}}}}}}
	for _, p := range s.rules[0].providers[:2] {
		sealed, err := p.seal([]byte("at"), []byte("secret"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealed)
	}
	f.Add([]byte("kms:c:\x05\x0a\x03abc" + strings.Repeat("x", 80)))
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, sealed []byte) {
		grown.Tried(t)
		if data, _, err := s.Open("secrets", []byte("elsewhere"), sealed); err == nil {
			t.Errorf("%q opened as %q", sealed, data)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s := &Sealer{rules: []rule{{resources: []string{"secrets"}, providers: []provider{&aesGCM{"a", make([]byte, 32)}}}}}
	at, data := []byte("r12345678secrets\x00default\x00db"), make([]byte, 1024)
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Seal("secrets", at, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	sealed, err := s.Seal("secrets", at, data)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.Open("secrets", at, sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("other kinds", func(b *testing.B) {
		for b.Loop() {
			if s.Seals("pods") {
				b.Fatal("pods are sealed")
			}
		}
	})
}
