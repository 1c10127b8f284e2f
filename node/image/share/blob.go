package share

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// blob links a blob into the files of the store that takes it, and has its database note it with the other's labels, which
// say what the blob refers to. containerd takes what is among its files already for the blob that is being written; should
// its garbage collection be quicker, the write fails.
func (t *transfer) blob(ctx context.Context, digest string) error {
	info, err := t.from.content.Info(ctx, &contentapi.InfoRequest{Digest: digest})
	if err != nil {
		return err
	}
	path := t.to.blobPath(digest)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Link(t.from.blobPath(digest), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	err = t.commit(t.leased(ctx), info.Info)
	if status.Code(err) != codes.AlreadyExists {
		return err
	}
	mask := &fieldmaskpb.FieldMask{}
	for label := range info.Info.Labels {
		mask.Paths = append(mask.Paths, "labels."+label)
	}
	if len(mask.Paths) == 0 {
		return nil
	}
	_, err = t.to.content.Update(ctx, &contentapi.UpdateRequest{Info: &contentapi.Info{Digest: digest, Labels: info.Info.Labels}, UpdateMask: mask})
	return err
}

// commit is a write of nothing: the offset is the end.
func (t *transfer) commit(ctx context.Context, info *contentapi.Info) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	stream, err := t.to.content.Write(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&contentapi.WriteContentRequest{
		Action: contentapi.WriteAction_COMMIT, Ref: "proa-share-" + info.Digest, Expected: info.Digest,
		Total: info.Size, Offset: info.Size, Labels: info.Labels,
	})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err = stream.Recv()
	return err
}
