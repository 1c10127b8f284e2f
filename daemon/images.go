package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/cri"
	"proa/node/image"
	"proa/node/image/share"
)

// Images is the images of the nodes on this machine. The first node loads what is loaded; the others share it.
type Images struct {
	cfg   *Config
	first nodeImages
	other []nodeImages
}

// nodeImages is the image store of one node.
type nodeImages struct {
	node    string
	store   *image.Store
	files   *share.Store
	runtime *cri.Client // that store asks
}

// OpenImages finds the image stores of the nodes that run. The first must; those that do not run take what they need when
// they do.
func OpenImages(cfg *Config) (*Images, error) {
	if err := cfg.Default(); err != nil {
		return nil, err
	}
	first, err := imagesIn(cfg)
	if err != nil {
		return nil, err
	}
	images := &Images{cfg: cfg, first: first}
	nodes, err := existingNodes(cfg)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		its, err := n.config()
		if err != nil {
			return nil, err
		}
		if store, err := imagesIn(its); err == nil {
			images.other = append(images.other, store)
		}
	}
	return images, nil
}

// Build builds the image of a directory, for all nodes. It returns its full name.
func (i *Images) Build(ctx context.Context, dir, tag string, options image.Options) (string, error) {
	name, err := i.first.store.Build(ctx, dir, tag, options)
	if err != nil {
		return "", err
	}
	return name, i.share(ctx, []string{name}, func(s *image.Store) error {
		_, err := s.Build(ctx, dir, tag, options)
		return err
	})
}

// Load loads the images of an archive, for all nodes. It returns their full names.
func (i *Images) Load(ctx context.Context, file string) ([]string, error) {
	names, err := i.first.store.Load(ctx, file)
	if err != nil {
		return nil, err
	}
	return names, i.share(ctx, names, func(s *image.Store) error {
		_, err := s.Load(ctx, file)
		return err
	})
}

// List lists the images that pods can use.
func (i *Images) List(ctx context.Context) ([]image.Listed, error) { return i.first.store.List(ctx) }

// Remove removes an image from all nodes; false when none had it.
func (i *Images) Remove(ctx context.Context, name string) (bool, error) {
	found := false
	for _, n := range append([]nodeImages{i.first}, i.other...) {
		was, err := n.store.Remove(ctx, name)
		if err != nil {
			return found, err
		}
		found = found || was
	}
	return found, nil
}

// share gives images of the first node to the others. To a node that cannot share, such as one whose directory is on another
// file system, they are loaded.
func (i *Images) share(ctx context.Context, names []string, load func(*image.Store) error) error {
	errs := make([]error, len(i.other))
	var nodes sync.WaitGroup
	for n, to := range i.other {
		nodes.Go(func() {
			for _, name := range names {
				if errs[n] == nil {
					errs[n] = share.Image(ctx, name, i.first.files, to.files)
				}
			}
			if errs[n] != nil {
				i.cfg.Log.Warn("a node cannot share images and loads them", "node", to.node, "err", errs[n])
				errs[n] = load(to.store)
			} else {
				errs[n] = to.store.WaitListed(ctx, names)
			}
		})
	}
	nodes.Wait()
	return errors.Join(errs...)
}

// borrow takes an image from another node of this machine. Who these are is looked up each time: nodes come and go.
func (c *containers) borrow(ctx context.Context, name string) (found bool, failed error) {
	if c.bundled == nil {
		return false, nil
	}
	full, err := image.FullName(name)
	if err != nil {
		return false, nil // such as an id: the runtime knows it or nobody does
	}
	others, err := neighbours(c.cfg)
	if err != nil || len(others) == 0 {
		return false, err
	}
	own, err := imagesIn(c.cfg)
	if err != nil {
		return false, err
	}
	defer func() { failed = errors.Join(failed, own.close()) }()
	for _, cfg := range others {
		from, err := imagesIn(cfg)
		if err != nil {
			continue // it does not run
		}
		err = errors.Join(share.Image(ctx, full, from.files, own.files), from.close())
		if err == nil {
			c.cfg.Log.Info("image shared with another node", "image", full, "node", from.node)
			return true, own.store.WaitListed(ctx, []string{full})
		}
		if !errors.Is(err, share.ErrUnknown) {
			failed = errors.Join(failed, fmt.Errorf("node %s: %w", from.node, err))
		}
	}
	return false, failed
}

// neighbours are the other nodes on this machine: of this cluster's process, or of the one that this node is beside.
func neighbours(cfg *Config) ([]*Config, error) {
	cluster := cfg
	var found []*Config
	if cfg.Beside != "" {
		cluster = &Config{DataDir: cfg.Beside, BundleDir: cfg.BundleDir, Log: cfg.Log}
		if err := cluster.Default(); err != nil {
			return nil, err
		}
		found = append(found, cluster)
	}
	nodes, err := existingNodes(cluster)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		its, err := n.config()
		if err != nil {
			return nil, err
		}
		if its.DataDir != cfg.DataDir {
			found = append(found, its)
		}
	}
	return found, nil
}

func imagesIn(cfg *Config) (nodeImages, error) {
	r, err := bundledRuntime(cfg)
	if err != nil {
		return nodeImages{}, err
	}
	if _, err := os.Stat(r.Socket()); err != nil {
		return nodeImages{}, fmt.Errorf("the node in %s does not run: proa up --detach starts it", cfg.DataDir)
	}
	return imagesOf(cfg, r.Socket())
}

// imagesOf is the image store behind a runtime's socket.
func imagesOf(cfg *Config, socket string) (nodeImages, error) {
	ctr, err := exec.LookPath(filepath.Join(cfg.BundleDir, "ctr"))
	if err != nil {
		if ctr, err = exec.LookPath("ctr"); err != nil {
			return nodeImages{}, errors.New("ctr is neither in the bundle nor on PATH: it comes with containerd and imports images; run make build")
		}
	}
	runtime, err := cri.New("unix://" + socket)
	if err != nil {
		return nodeImages{}, fmt.Errorf("reach the container runtime: %w", err)
	}
	files, err := share.Open(socket, runtimeRoot(cfg))
	if err != nil {
		return nodeImages{}, errors.Join(err, runtime.Close())
	}
	list := func(ctx context.Context) ([]*runtimeapi.Image, error) {
		answer, err := runtime.Images().ListImages(ctx, &runtimeapi.ListImagesRequest{})
		if err != nil {
			return nil, fmt.Errorf("list images: %w", err)
		}
		return answer.Images, nil
	}
	store := image.New(image.Config{Ctr: ctr, Socket: socket, Images: list, Delete: runtime.RemoveImage, Log: cfg.Log})
	return nodeImages{cfg.NodeName, store, files, runtime}, nil
}

func (n nodeImages) close() error { return errors.Join(n.files.Close(), n.runtime.Close()) }
