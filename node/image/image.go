// Package image makes container images without a registry and without a daemon, and puts them into the node's containerd.
//
// It decides what a directory becomes (a Go main package: one layer with the program; anything else: a root file system)
// and which archive is acceptable; it owns nothing on disk but temporary files, which it removes. The CLI's `proa image` and
// the daemon, for the sandbox image, call it. Importing is done by the bundle's ctr: containerd's client library costs more
// binary and memory than the whole agent, and an import is no hot path. Without ctr or containerd every function that
// imports fails with one line that says so; building alone needs neither.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Config says where images go.
type Config struct {
	Ctr    string // path of the bundle's ctr: required to import
	Socket string // containerd's: required to import
	// Images asks the runtime for its images over CRI: required for List, and to return from an import only when
	// the runtime shows the image.
	Images func(ctx context.Context) ([]*runtimeapi.Image, error)
	// Delete removes one image, by id, under all its names: required for Remove.
	Delete func(ctx context.Context, id string) error
	Log    *slog.Logger // optional
}

// Store is the image store of one node, as seen through its runtime. Its methods may be called from any goroutine.
type Store struct{ cfg Config }

// New starts nothing.
func New(cfg Config) *Store {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{cfg: cfg}
}

// Listed is one image of the node.
type Listed struct {
	ID      string // digest of the configuration
	Tags    []string
	Digests []string
	Size    uint64 // bytes
	Pinned  bool   // never garbage collected
}

// List returns the images that pods can use without a pull, ordered by first tag.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	if s.cfg.Images == nil {
		return nil, errors.New("list images: no runtime is connected")
	}
	images, err := s.cfg.Images(ctx)
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	listed := make([]Listed, len(images))
	for i, image := range images {
		listed[i] = Listed{ID: image.Id, Tags: slices.Clone(image.RepoTags), Digests: slices.Clone(image.RepoDigests), Size: image.Size, Pinned: image.Pinned}
	}
	slices.SortFunc(listed, func(a, b Listed) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	return listed, nil
}

// Remove removes an image, given by name or by the start of its id, under all its names. It says whether there was one.
func (s *Store) Remove(ctx context.Context, name string) (bool, error) {
	listed, err := s.List(ctx)
	if err != nil {
		return false, err
	}
	full, err := FullName(name)
	if err != nil {
		full = name // it may be an id
	}
	for _, image := range listed {
		_, hex, _ := strings.Cut(image.ID, ":")
		if !slices.Contains(image.Tags, full) && !slices.Contains(image.Digests, full) && (len(name) < minID || !strings.HasPrefix(hex, name)) {
			continue
		}
		if image.Pinned {
			return false, fmt.Errorf("remove image %s: the node itself needs it", name)
		}
		if err := s.cfg.Delete(ctx, image.ID); err != nil {
			return false, fmt.Errorf("remove image %s: %w", name, err)
		}
		return true, nil
	}
	return false, nil
}

// minID is how much of an id has to be given: fewer digits may be a name's.
const minID = 12

func (l Listed) sortKey() string {
	if len(l.Tags) == 0 {
		return "~" + l.ID // after all names
	}
	return l.Tags[0]
}

// Load imports the images of an archive: docker-archive or OCI layout, plain or compressed with gzip. It returns their full
// names once the runtime shows them.
func (s *Store) Load(ctx context.Context, path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load image: %w", err)
	}
	defer f.Close()
	names, err := archiveNames(f)
	if err != nil {
		return nil, fmt.Errorf("load image: %s: %w", path, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("load image: %w", err)
	}
	if err := s.importArchive(ctx, f, names); err != nil {
		return nil, fmt.Errorf("load image: %s: %w", path, err)
	}
	return names, nil
}

// LoadFrom is Load for what is not a file, such as standard input: the names stand at an archive's end, so it is spooled.
func (s *Store) LoadFrom(ctx context.Context, archive io.Reader) ([]string, error) {
	f, err := os.CreateTemp("", "proa-image-*.tar")
	if err != nil {
		return nil, fmt.Errorf("load image: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, archive); err != nil {
		return nil, fmt.Errorf("load image: %w", err)
	}
	return s.Load(ctx, f.Name())
}

// importArchive hands an archive to ctr and waits for its names to be known to CRI, which learns of them by an event.
func (s *Store) importArchive(ctx context.Context, archive io.Reader, names []string) error {
	if s.cfg.Ctr == "" {
		return errors.New("import image: the program ctr of the runtime bundle is missing: `make bundle` builds it")
	}
	// --local does the work in ctr instead of containerd's transfer service, which would unpack with its own settings.
	cmd := exec.CommandContext(ctx, s.cfg.Ctr, "--address", s.cfg.Socket, "--namespace", "k8s.io", "images", "import", "--local", "-")
	cmd.Stdin = archive
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("import image: %w: %s", err, lastLine(out))
	}
	s.cfg.Log.Info("imported images", "images", names)
	return s.WaitListed(ctx, names)
}

// visibleTimeout bounds the wait for containerd's event to reach its CRI part; it takes milliseconds.
const visibleTimeout = 10 * time.Second

// WaitListed returns when the runtime shows images under these full names: it learns of new ones by an event.
func (s *Store) WaitListed(ctx context.Context, names []string) error {
	if s.cfg.Images == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, visibleTimeout)
	defer cancel()
	for {
		missing, err := s.missing(ctx, names)
		if err != nil || missing == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the runtime does not show %s: %w", missing, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// missing is the first of the names that the runtime does not know.
func (s *Store) missing(ctx context.Context, names []string) (string, error) {
	images, err := s.cfg.Images(ctx)
	if err != nil {
		return "", fmt.Errorf("list images: %w", err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(images, func(i *runtimeapi.Image) bool { return slices.Contains(i.RepoTags, name) }) {
			return name, nil
		}
	}
	return "", nil
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
