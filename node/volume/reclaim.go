package volume

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/kinds/storage"
)

const volumesTable = "persistentvolumes"

// reclaim removes the directories of this node's volumes that are being deleted, and lets the volumes go.
func (v *Volumes) reclaim(ctx context.Context) {
	for ctx.Err() == nil {
		if err := v.reclaimAll(ctx); err != nil && ctx.Err() == nil {
			v.cfg.Log.Warn("volumes that are to be removed are looked at again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-v.cfg.Clock.After(retryAfter):
		}
	}
}

// reclaimAll works until the watch breaks, or something could not be removed.
func (v *Volumes) reclaimAll(ctx context.Context) error {
	view := v.cfg.Client.View()
	watcher, err := v.cfg.Client.Watch(volumesTable, view)
	if err != nil {
		return err
	}
	for pv := range client.List[*v1.PersistentVolume](view, volumesTable, "") {
		if err := v.reclaimOne(ctx, pv); err != nil {
			return err
		}
	}
	for {
		events, err := watcher.Next(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			if pv, ok := e.Object.(*v1.PersistentVolume); ok && e.Type != client.Deleted {
				if err := v.reclaimOne(ctx, pv); err != nil {
					return err
				}
			}
		}
	}
}

// reclaimOne removes one volume's directory. Pods that used it are gone: their claim would have held it.
func (v *Volumes) reclaimOne(ctx context.Context, pv *v1.PersistentVolume) error {
	node, name, ok := storage.LocalVolume(pv)
	if !ok || node != v.cfg.Node || pv.DeletionTimestamp == nil || !slices.Contains(pv.Finalizers, storage.LocalFinalizer) {
		return nil
	}
	if slices.Contains(pv.Finalizers, storage.VolumeProtection) {
		return nil // still in use
	}
	dir, err := v.localPath(name)
	if err != nil {
		v.cfg.Log.Error("volume is not removed", "volume", pv.Name, "error", err)
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove volume %s: %w", pv.Name, err)
	}
	kept := slices.DeleteFunc(slices.Clone(pv.Finalizers), func(f string) bool { return f == storage.LocalFinalizer })
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": pv.ResourceVersion, "finalizers": kept}})
	if err != nil {
		return err
	}
	_, err = v.cfg.Client.Patch(ctx, client.RefOf(volumesTable, pv), "", types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // a newer state comes as an event
		return nil
	}
	if err != nil {
		return fmt.Errorf("let volume %s go: %w", pv.Name, err)
	}
	return nil
}
