// Package volume makes a pod's volumes: directories, memory, and files that mirror API objects.
//
// It decides where a volume lies on the host and what is in it, and owns Root/<pod uid>/volumes and .../volume-subpaths. The
// node's runner calls it before a pod's first container and after its last one; Run keeps mirrored objects up to date by
// watching, so a change reaches the files at once. When the API is gone, volumes keep their content, tokens included until
// they expire, and are brought up to date when it is back. Nothing is kept in memory that is not also on disk or in the API: after
// a restart Prepare finds what is there.
package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// Config is what Volumes needs. Fields without a note are required.
type Config struct {
	Root   string        // the folder that holds a folder per pod uid
	Locals string        // the folder of volumes that outlive pods, a folder each; see storage.LocalDriver
	Node   string        // the node's name
	Client client.Client // the node's identity
	// Allocatable of the node: the limit of memory volumes, and what resource fields of the downward API fall back to.
	Allocatable v1.ResourceList
	// Image makes an image volume's image present and returns its id. Optional: without it image volumes fail.
	Image func(ctx context.Context, pod *v1.Pod, image string, policy v1.PullPolicy) (string, error)
	Clock Clock        // optional: the system's
	Log   *slog.Logger // optional
}

// Clock is time as tests make it.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// Volumes holds the volumes of a node's pods. Calls for different pods may overlap.
type Volumes struct {
	cfg  Config
	wake chan struct{} // a token's time of renewal may have come nearer

	mu struct {
		sync.Mutex
		pods map[types.UID]*prepared
	}
}

// prepared is a pod whose volumes are, or are being, made. Lock order: mu of Volumes is never taken while this one is held.
type prepared struct {
	mu struct {
		sync.Mutex
		pod      *v1.Pod
		renewals map[string]time.Time // volume name -> when it is to be written again
		tokens   map[string]token     // volume name and path -> the token that is there
		released bool
	}
}

// New starts nothing and touches no file.
func New(cfg Config) (*Volumes, error) {
	if cfg.Root == "" || cfg.Locals == "" || cfg.Node == "" || cfg.Client == nil {
		return nil, errors.New("configure volumes: Root, Locals, Node and Client are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = systemClock{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	v := &Volumes{cfg: cfg, wake: make(chan struct{}, 1)}
	v.mu.pods = map[types.UID]*prepared{}
	return v, nil
}

// Prepare makes every volume of the pod and returns where each is on the host, by volume name; for an image volume the
// value is the image's id. It may be called again at any time, and then brings the content up to date.
func (v *Volumes) Prepare(ctx context.Context, pod *v1.Pod) (map[string]string, error) {
	paths := make(map[string]string, len(pod.Spec.Volumes))
	// A pull may take minutes, and whoever holds the entry holds up the changes that all other pods wait for: images come first.
	if err := v.images(ctx, pod, paths); err != nil {
		return nil, err
	}
	entry := v.entry(pod.UID)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	// From here on events reach the pod, so that a change between reading an object and writing it is seen.
	entry.mu.pod, entry.mu.released = pod, false
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if volume.Image != nil {
			continue
		}
		path, err := v.setUp(ctx, entry, volume)
		if err != nil {
			return nil, setUpFailed(volume, err)
		}
		paths[volume.Name] = path
	}
	return paths, nil
}

func setUpFailed(volume *v1.Volume, err error) error {
	return fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", volume.Name, err)
}

// images makes the images of image volumes present and enters their ids.
func (v *Volumes) images(ctx context.Context, pod *v1.Pod, paths map[string]string) error {
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if volume.Image == nil {
			continue
		}
		id, err := v.image(ctx, pod, volume.Image)
		if err != nil {
			return setUpFailed(volume, err)
		}
		paths[volume.Name] = id
	}
	return nil
}

func (v *Volumes) entry(uid types.UID) *prepared {
	v.mu.Lock()
	defer v.mu.Unlock()
	entry := v.mu.pods[uid]
	if entry == nil {
		entry = &prepared{}
		entry.mu.renewals, entry.mu.tokens = map[string]time.Time{}, map[string]token{}
		v.mu.pods[uid] = entry
	}
	return entry
}

// setUp makes one volume that is no image. Each source is one line; what is not listed is refused by name.
func (v *Volumes) setUp(ctx context.Context, entry *prepared, volume *v1.Volume) (string, error) {
	pod, source := entry.mu.pod, &volume.VolumeSource
	switch {
	case source.EmptyDir != nil:
		return v.emptyDir(pod, volume.Name, source.EmptyDir)
	case source.HostPath != nil:
		return source.HostPath.Path, checkHostPath(source.HostPath)
	case source.PersistentVolumeClaim != nil:
		return v.claimed(ctx, pod, source.PersistentVolumeClaim.ClaimName)
	case source.Ephemeral != nil:
		return v.claimed(ctx, pod, pod.Name+"-"+volume.Name)
	case isMirror(source):
		return v.mirror(ctx, entry, volume)
	}
	return "", errors.New("this kind of volume is not supported by the node")
}

func (v *Volumes) image(ctx context.Context, pod *v1.Pod, source *v1.ImageVolumeSource) (string, error) {
	if v.cfg.Image == nil {
		return "", errors.New("image volumes are not supported by the node")
	}
	return v.cfg.Image(ctx, pod, source.Reference, source.PullPolicy)
}

// Release unmounts and removes what was made for a pod; of an unknown one it removes what is on disk.
func (v *Volumes) Release(_ context.Context, podUID types.UID) error {
	entry := v.entry(podUID)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	entry.mu.released = true
	for _, dir := range []string{v.volumesDir(podUID), v.subPathsDir(podUID)} {
		if err := unmountBelow(dir); err != nil {
			return fmt.Errorf("release volumes: %w", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("release volumes: %w", err)
		}
	}
	v.forget(podUID)
	return nil
}

// forget is called with the entry locked, which is in order: nobody waits for an entry while holding the map.
func (v *Volumes) forget(uid types.UID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.mu.pods, uid)
}

func (v *Volumes) volumesDir(uid types.UID) string {
	return filepath.Join(v.cfg.Root, string(uid), "volumes")
}

func (v *Volumes) subPathsDir(uid types.UID) string {
	return filepath.Join(v.cfg.Root, string(uid), "volume-subpaths")
}

// dir is a volume's place, named as other tools expect it of a kubelet: volumes/kubernetes.io~configmap/name.
func (v *Volumes) dir(uid types.UID, plugin, name string) string {
	return filepath.Join(v.volumesDir(uid), "kubernetes.io~"+plugin, name)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

func allocatableMemory(list v1.ResourceList) resource.Quantity { return list[v1.ResourceMemory] }
