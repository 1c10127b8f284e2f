package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/internal/atomicfile"
)

// ownLife is how long a key of the cluster's own writes, until the next start makes a new one.
const ownLife = 90 * 24 * time.Hour

// ownDate is how keys of the cluster's own are named: by the day on which they were made.
const ownDate = "2006-01-02"

// Own are keys that the cluster makes for itself, in a file beside what they encrypt. They keep secrets out of what is
// copied without the file (the log's files, a disk's image of them); against who reads the whole data directory only a KMS
// plug-in helps. The file is an EncryptionConfiguration; the newest key is the first, and writes.
//
// At a start with a key that has become old: a new one is put before it, the log is opened, which seals every row with the
// new one, and then Settle drops the old one. A crash between any two of these leaves both keys.
type Own struct {
	path      string
	names     []string // of keys, the newest first
	secrets   [][]byte
	providers []provider
	log       *slog.Logger
}

// OpenOwn reads the file with the cluster's own keys, or makes it.
func OpenOwn(path string, now time.Time, log *slog.Logger) (*Own, error) {
	o := &Own{path: path, log: log}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read encryption keys: %w", err)
	}
	if err == nil {
		if err := o.read(data); err != nil {
			return nil, fmt.Errorf("read encryption keys %s: %w", path, err)
		}
	}
	if o.old(now) {
		if err := o.add(now); err != nil {
			return nil, fmt.Errorf("make encryption key: %w", err)
		}
	}
	for i, name := range o.names {
		o.providers = append(o.providers, &aesGCM{name, o.secrets[i]})
	}
	return o, nil
}

// Sealer encrypts secrets with the newest key.
func (o *Own) Sealer() *Sealer {
	return &Sealer{rules: []rule{{resources: []string{"secrets"}, providers: o.providers}}}
}

// Settle drops all keys but the newest. It is called when a store that was opened with Sealer has sealed every row anew.
func (o *Own) Settle() error {
	if len(o.names) == 1 {
		return nil
	}
	dropped := o.names[1:]
	o.names, o.secrets = o.names[:1], o.secrets[:1]
	if err := o.write(); err != nil {
		return fmt.Errorf("drop old encryption keys: %w", err)
	}
	o.log.Info("secrets are encrypted with a new key", "key", o.names[0], "dropped", dropped)
	return nil
}

func (o *Own) read(data []byte) error {
	c, err := decode(data)
	if err != nil {
		return errors.Join(errOwn, err)
	}
	if errs := c.validate(); len(errs) > 0 {
		return errors.Join(errOwn, errs.ToAggregate())
	}
	for _, r := range c.Resources {
		for _, p := range r.Providers {
			if p.AESGCM == nil {
				continue
			}
			for i := range p.AESGCM.Keys {
				o.names, o.secrets = append(o.names, p.AESGCM.Keys[i].Name), append(o.secrets, p.AESGCM.Keys[i].bytes())
			}
		}
	}
	if len(o.names) == 0 {
		return errOwn
	}
	return nil
}

// old says whether a new key is due. A name that is no day was given by somebody: such a key stays.
func (o *Own) old(now time.Time) bool {
	if len(o.names) == 0 {
		return true
	}
	made, err := time.Parse(ownDate, o.names[0])
	return err == nil && now.Sub(made) > ownLife
}

func (o *Own) add(now time.Time) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: it ends the program instead
	o.names = append([]string{now.UTC().Format(ownDate)}, o.names...)
	o.secrets = append([][]byte{secret}, o.secrets...)
	return o.write()
}

// write replaces the file in one step, and returns when the disk has it: a row must never be sealed with a key that a power
// failure takes.
func (o *Own) write() (err error) {
	var keys []keyConfiguration
	for i, name := range o.names {
		keys = append(keys, keyConfiguration{Name: name, Secret: base64.StdEncoding.EncodeToString(o.secrets[i])})
	}
	data, err := yaml.Marshal(configuration{
		TypeMeta:  metav1.TypeMeta{APIVersion: configVersion, Kind: configKind},
		Resources: []resourceConfiguration{{Resources: []string{"secrets"}, Providers: []providerConfiguration{{AESGCM: &keysConfiguration{Keys: keys}}}}},
	})
	if err != nil {
		return err
	}
	dir := filepath.Dir(o.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(o.path, data, 0o600)
}
