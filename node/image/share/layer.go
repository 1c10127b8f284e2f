package share

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	leasesapi "github.com/containerd/containerd/api/services/leases/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// layers takes the snapshots of layers, the lowest first. Those that the other store never unpacked are left out: the
// CRI unpacks them when they are needed.
func (t *transfer) layers(ctx context.Context, chain []string) error {
	parent := ""
	for _, name := range chain {
		_, err := t.from.snapshots.Stat(ctx, &snapshotsapi.StatSnapshotRequest{Snapshotter: snapshotter, Key: name})
		if status.Code(err) == codes.NotFound {
			return nil
		}
		if err == nil {
			err = t.layer(ctx, name, parent)
		}
		if err != nil {
			return fmt.Errorf("layer %s: %w", name, err)
		}
		parent = name
	}
	return nil
}

func (t *transfer) layer(ctx context.Context, name, parent string) (err error) {
	_, err = t.to.snapshots.Stat(ctx, &snapshotsapi.StatSnapshotRequest{Snapshotter: snapshotter, Key: name})
	if err == nil {
		return t.hold(ctx, name)
	}
	if status.Code(err) != codes.NotFound {
		return err
	}
	key := "proa-share-" + rand.Text() + " " + name
	prepared, err := t.to.snapshots.Prepare(t.leased(ctx), &snapshotsapi.PrepareSnapshotRequest{Snapshotter: snapshotter, Key: key, Parent: parent})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.to.drop(ctx, key))
		}
	}()
	to, ok := upper(prepared.Mounts)
	if !ok {
		return fmt.Errorf("its snapshot has no directory of its own: %v", prepared.Mounts)
	}
	source, err := t.from.directory(ctx, name)
	if err != nil {
		return err
	}
	if err := linkTree(source, to); err != nil {
		return err
	}
	_, err = t.to.snapshots.Commit(t.leased(ctx), &snapshotsapi.CommitSnapshotRequest{Snapshotter: snapshotter, Name: name, Key: key})
	if status.Code(err) == codes.AlreadyExists { // somebody else was quicker
		return errors.Join(t.to.drop(ctx, key), t.hold(ctx, name))
	}
	return err
}

// hold puts a snapshot that was there under the lease.
func (t *transfer) hold(ctx context.Context, name string) error {
	_, err := t.to.leases.AddResource(ctx, &leasesapi.AddResourceRequest{ID: t.lease, Resource: &leasesapi.Resource{ID: name, Type: "snapshots/" + snapshotter}})
	return err
}

func (s *Store) drop(ctx context.Context, key string) error {
	_, err := s.snapshots.Remove(context.WithoutCancel(ctx), &snapshotsapi.RemoveSnapshotRequest{Snapshotter: snapshotter, Key: key})
	if status.Code(err) == codes.NotFound { // collected already
		return nil
	}
	return err
}

// directory finds the files of a layer, without those below it.
func (s *Store) directory(ctx context.Context, name string) (string, error) {
	key := "proa-share-" + rand.Text()
	view, err := s.snapshots.View(ctx, &snapshotsapi.ViewSnapshotRequest{Snapshotter: snapshotter, Key: key, Parent: name})
	if err != nil {
		return "", err
	}
	if err := s.drop(ctx, key); err != nil {
		return "", err
	}
	if len(view.Mounts) == 1 && view.Mounts[0].Type == "bind" { // the lowest
		return view.Mounts[0].Source, nil
	}
	if lower, ok := option(view.Mounts, "lowerdir="); ok {
		top, _, _ := strings.Cut(lower, ":")
		return top, nil
	}
	return "", fmt.Errorf("its snapshot has no directory: %v", view.Mounts)
}

// upper is where a snapshot that is being made takes what is written to it.
func upper(mounts []*types.Mount) (string, bool) {
	if len(mounts) == 1 && mounts[0].Type == "bind" {
		return mounts[0].Source, true
	}
	return option(mounts, "upperdir=")
}

func option(mounts []*types.Mount, prefix string) (string, bool) {
	for _, m := range mounts {
		for _, o := range m.Options {
			if value, ok := strings.CutPrefix(o, prefix); ok {
				return value, true
			}
		}
	}
	return "", false
}
