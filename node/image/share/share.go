// Package share gives an image that one containerd has to another on the same machine, and stores nothing twice.
//
// Each node of a machine has a containerd with a database of its own, which one process alone can open; so there is no store
// to have in common. What takes the room are files, and those can be: a blob is linked into the other's content store, a
// layer's files into a new snapshot of the other's, and then its database is told of them through its API. Both have the
// image then as if each had loaded it. Each removes it as it likes: the files go with their last link. Nothing is ever
// written through a link: blobs are not, and containers write above their layers.
//
// The files have to be on one file system. When they are not, or when anything else is in the way, Image fails and leaves
// nothing behind, and the caller loads the image as if there were no other node.
package share

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	leasesapi "github.com/containerd/containerd/api/services/leases/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ErrUnknown says that the store has no image of the name.
var ErrUnknown = errors.New("no such image")

// namespace is containerd's for what the CRI shows; snapshotter is the one of the bundle's configuration.
const (
	namespace   = "k8s.io"
	snapshotter = "overlayfs"
)

// Store is one containerd and its files. It may be used by many goroutines.
type Store struct {
	root      string
	conn      *grpc.ClientConn
	content   contentapi.ContentClient
	images    imagesapi.ImagesClient
	leases    leasesapi.LeasesClient
	snapshots snapshotsapi.SnapshotsClient
}

// Open prepares the use of the containerd that serves at a socket and keeps its files below root. It does not connect yet.
func Open(socket, root string) (*Store, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("localhost"))
	if err != nil {
		return nil, fmt.Errorf("open image store %s: %w", socket, err)
	}
	return &Store{
		root: root, conn: conn, content: contentapi.NewContentClient(conn), images: imagesapi.NewImagesClient(conn),
		leases: leasesapi.NewLeasesClient(conn), snapshots: snapshotsapi.NewSnapshotsClient(conn),
	}, nil
}

// Close ends the connection.
func (s *Store) Close() error { return s.conn.Close() }

// Image makes an image of one store known to another, under its full name. An image that is there already is brought up to date.
func Image(ctx context.Context, name string, from, to *Store) (err error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
	answer, err := from.images.Get(ctx, &imagesapi.GetImageRequest{Name: name})
	if status.Code(err) == codes.NotFound {
		return fmt.Errorf("share image %s: %w", name, ErrUnknown)
	}
	if err != nil {
		return fmt.Errorf("share image %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("share image %s: %w", name, err)
		}
	}()
	parts, err := from.parts(answer.Image.Target.Digest)
	if err != nil {
		return err
	}
	t := &transfer{from: from, to: to, lease: "proa-share-" + rand.Text()}
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.end(ctx)) }()
	for _, blob := range parts.blobs {
		if err := t.blob(ctx, blob); err != nil {
			return fmt.Errorf("blob %s: %w", blob, err)
		}
	}
	for _, chain := range parts.chains {
		if err := t.layers(ctx, chain); err != nil {
			return err
		}
	}
	return t.record(ctx, answer.Image)
}

// transfer is one image on its way. What it makes is under a lease, since nothing refers to it before the image does.
type transfer struct {
	from, to *Store
	lease    string
}

func (t *transfer) begin(ctx context.Context) error {
	labels := map[string]string{"containerd.io/gc.expire": time.Now().Add(time.Hour).Format(time.RFC3339)} // should this process die
	if _, err := t.to.leases.Create(ctx, &leasesapi.CreateRequest{ID: t.lease, Labels: labels}); err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	return nil
}

// leased is the context of calls that make something. The other store knows nothing of the lease.
func (t *transfer) leased(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-lease", t.lease)
}

func (t *transfer) end(ctx context.Context) error {
	if _, err := t.to.leases.Delete(context.WithoutCancel(ctx), &leasesapi.DeleteRequest{ID: t.lease}); err != nil {
		return fmt.Errorf("end lease: %w", err)
	}
	return nil
}

// record writes the image's name, which from then on holds what it refers to.
func (t *transfer) record(ctx context.Context, image *imagesapi.Image) error {
	record := &imagesapi.Image{Name: image.Name, Labels: image.Labels, Target: image.Target}
	_, err := t.to.images.Create(ctx, &imagesapi.CreateImageRequest{Image: record})
	if status.Code(err) == codes.AlreadyExists {
		_, err = t.to.images.Update(ctx, &imagesapi.UpdateImageRequest{Image: record})
	}
	if err != nil {
		return fmt.Errorf("write image record: %w", err)
	}
	return nil
}

// blobPath is where the content store keeps a blob.
func (s *Store) blobPath(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return filepath.Join(s.root, "io.containerd.content.v1.content", "blobs", filepath.Base(algorithm), filepath.Base(hex))
}
