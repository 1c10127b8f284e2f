package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"

	"proa/client"
	"proa/kinds/storage"
)

// claimed is where the volume of a claim is. Claim and volume are read past any cache: the scheduler has just bound them.
func (v *Volumes) claimed(ctx context.Context, pod *v1.Pod, name string) (string, error) {
	obj, err := v.cfg.Client.GetLive(ctx, client.Ref{Table: "persistentvolumeclaims", Namespace: pod.Namespace, Name: name})
	if err != nil {
		return "", err
	}
	claim := obj.(*v1.PersistentVolumeClaim)
	if claim.Spec.VolumeName == "" || claim.Status.Phase != v1.ClaimBound {
		return "", fmt.Errorf("persistentvolumeclaim %q has no volume yet", name)
	}
	if obj, err = v.cfg.Client.GetLive(ctx, client.Ref{Table: "persistentvolumes", Name: claim.Spec.VolumeName}); err != nil {
		return "", err
	}
	pv := obj.(*v1.PersistentVolume)
	if !storage.IsFor(pv, claim) {
		return "", fmt.Errorf("persistentvolume %q is not bound to persistentvolumeclaim %q", pv.Name, name)
	}
	return v.persistent(pod, pv)
}

// persistent is where a persistent volume is on this node.
func (v *Volumes) persistent(pod *v1.Pod, pv *v1.PersistentVolume) (string, error) {
	switch s := &pv.Spec.PersistentVolumeSource; {
	case s.HostPath != nil:
		return s.HostPath.Path, checkHostPath(s.HostPath)
	case s.Local != nil:
		if _, err := os.Stat(s.Local.Path); err != nil {
			return "", fmt.Errorf("local volume: %w", err)
		}
		return s.Local.Path, giveToGroup(s.Local.Path, pod)
	}
	node, name, ok := storage.LocalVolume(pv)
	if !ok {
		return "", fmt.Errorf("the source of persistentvolume %q is not supported by the node", pv.Name)
	}
	if node != v.cfg.Node {
		return "", fmt.Errorf("persistentvolume %q is a directory of node %q", pv.Name, node)
	}
	return v.localDir(pod, name)
}

// localDir is the directory of a volume that the node keeps, made when it is first used. Like an emptyDir it is open to every
// user.
func (v *Volumes) localDir(pod *v1.Pod, name string) (string, error) {
	dir, err := v.localPath(name)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(v.cfg.Locals, 0o750); err != nil {
		return "", err
	}
	switch err := os.Mkdir(dir, 0o777); {
	case err == nil:
		if err := os.Chmod(dir, 0o777); err != nil { // whatever the umask is
			return "", errors.Join(err, os.Remove(dir))
		}
	case !errors.Is(err, fs.ErrExist):
		return "", err
	}
	return dir, giveToGroup(dir, pod)
}

func (v *Volumes) localPath(name string) (string, error) {
	if name == "" || name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." {
		return "", fmt.Errorf("%q names no directory", name)
	}
	return filepath.Join(v.cfg.Locals, name), nil
}

// giveToGroup gives a volume that may be large to the pod's fsGroup. A pod can have it skipped where its top is the group's
// already.
func giveToGroup(dir string, pod *v1.Pod) error {
	sc := pod.Spec.SecurityContext
	if sc == nil || sc.FSGroup == nil {
		return nil
	}
	if policy := sc.FSGroupChangePolicy; policy != nil && *policy == v1.FSGroupChangeOnRootMismatch && isGroups(dir, *sc.FSGroup) {
		return nil
	}
	return setGroup(dir, pod, false)
}
