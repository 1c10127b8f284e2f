package share

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// parts is what an image consists of: blobs, those that others refer to first, and for each of its platforms that is there
// the names of its layers' snapshots, the lowest first.
type parts struct {
	blobs  []string
	chains [][]string
}

// manifest is what of an index or a manifest says of which parts it consists.
type manifest struct {
	Manifests []descriptor
	Config    *descriptor
	Layers    []descriptor
}

type descriptor struct{ Digest string }

// parts reads an image from its manifest, or index, on.
func (s *Store) parts(digest string) (*parts, error) {
	p := &parts{}
	return p, s.collect(digest, p)
}

func (s *Store) collect(digest string, p *parts) error {
	var m manifest
	if err := s.read(digest, &m); err != nil {
		return err
	}
	for _, d := range m.Manifests {
		// An index may name platforms that were never fetched.
		if err := s.collect(d.Digest, p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if m.Config != nil {
		var config struct {
			RootFS struct {
				DiffIDs []string `json:"diff_ids"`
			}
		}
		if err := s.read(m.Config.Digest, &config); err != nil {
			return err
		}
		for _, layer := range m.Layers {
			if _, err := os.Stat(s.blobPath(layer.Digest)); err == nil { // else it was dropped after unpacking
				p.blobs = append(p.blobs, layer.Digest)
			}
		}
		p.blobs = append(p.blobs, m.Config.Digest)
		p.chains = append(p.chains, chainOf(config.RootFS.DiffIDs))
	}
	p.blobs = append(p.blobs, digest)
	return nil
}

func (s *Store) read(digest string, into any) error {
	content, err := os.ReadFile(s.blobPath(digest))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read blob %s: %w", digest, err)
	}
	return nil
}

// chainOf names the snapshots of layers, each with those below it (ChainID of the OCI image specification).
func chainOf(diffIDs []string) []string {
	var chain []string
	for i, id := range diffIDs {
		if i > 0 {
			id = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(chain[i-1]+" "+id)))
		}
		chain = append(chain, id)
	}
	return chain
}
