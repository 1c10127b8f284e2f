package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/client"
)

// isMirror says whether the volume's files are made of API objects: they follow their changes.
func isMirror(source *v1.VolumeSource) bool {
	return source.ConfigMap != nil || source.Secret != nil || source.DownwardAPI != nil || source.Projected != nil
}

// mirror writes the volume's files, first or anew. It is called with the entry locked.
func (v *Volumes) mirror(ctx context.Context, entry *prepared, volume *v1.Volume) (string, error) {
	pod := entry.mu.pod
	collect := &collector{ctx: ctx, volumes: v, pod: pod, volume: volume.Name, tokens: entry.mu.tokens, payload: map[string]projection{}}
	plugin, memory := collect.source(&volume.VolumeSource)
	if collect.err != nil {
		return "", collect.err
	}
	dir := v.dir(pod.UID, plugin, volume.Name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	if memory {
		if _, err := mountMemory(dir, 0); err != nil {
			return "", err
		}
	}
	// The same for everybody, whatever the umask: containers run as other users.
	if err := os.Chmod(dir, 0o777); err != nil {
		return "", err
	}
	stamp := v.cfg.Clock.Now().UTC().Format("2006_01_02_15_04_05")
	err := writeAtomically(dir, collect.payload, stamp, func(content string) error { return setGroup(content, pod, true) })
	if err != nil {
		return "", err
	}
	v.renewAt(entry, volume.Name, collect.renew)
	return dir, nil
}

// renewAt notes when the volume is to be written again; the zero time means never.
func (v *Volumes) renewAt(entry *prepared, volume string, at time.Time) {
	if at.IsZero() {
		delete(entry.mu.renewals, volume)
		return
	}
	entry.mu.renewals[volume] = at
	select {
	case v.wake <- struct{}{}:
	default: // Run will look anyway
	}
}

// collector gathers the files of one volume. The first error stays.
type collector struct {
	ctx     context.Context
	volumes *Volumes
	pod     *v1.Pod
	volume  string
	tokens  map[string]token // the pod's; changed
	payload map[string]projection
	renew   time.Time // the earliest renewal of a token; zero without tokens
	err     error
}

// source fills the payload and says where the volume lies, and whether in memory: secrets must not reach the disk.
func (c *collector) source(source *v1.VolumeSource) (plugin string, memory bool) {
	switch {
	case source.ConfigMap != nil:
		s := source.ConfigMap
		c.configMap(s.Name, s.Items, s.Optional, modeOf(s.DefaultMode))
		return "configmap", false
	case source.Secret != nil:
		s := source.Secret
		c.secret(s.SecretName, s.Items, s.Optional, modeOf(s.DefaultMode))
		return "secret", true
	case source.DownwardAPI != nil:
		s := source.DownwardAPI
		c.downwardAPI(s.Items, modeOf(s.DefaultMode))
		return "downward-api", true
	}
	for i := range source.Projected.Sources {
		c.projected(&source.Projected.Sources[i], modeOf(source.Projected.DefaultMode))
	}
	return "projected", true
}

func (c *collector) projected(source *v1.VolumeProjection, mode int32) {
	switch {
	case source.ConfigMap != nil:
		c.configMap(source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional, mode)
	case source.Secret != nil:
		c.secret(source.Secret.Name, source.Secret.Items, source.Secret.Optional, mode)
	case source.DownwardAPI != nil:
		c.downwardAPI(source.DownwardAPI.Items, mode)
	case source.ServiceAccountToken != nil:
		c.token(source.ServiceAccountToken, mode)
	default:
		c.fail(errors.New("this kind of projection is not supported by the node"))
	}
}

func modeOf(mode *int32) int32 {
	if mode == nil {
		return v1.ConfigMapVolumeSourceDefaultMode
	}
	return *mode
}

func (c *collector) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *collector) configMap(name string, items []v1.KeyToPath, optional *bool, mode int32) {
	object, err := c.read("configmaps", name)
	if object == nil {
		c.failUnless(optional, err, "configmap", name)
		return
	}
	configMap := object.(*v1.ConfigMap)
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	for key, value := range configMap.BinaryData {
		data[key] = value
	}
	c.keys(data, items, optional, mode, "configmap references non-existent config key: %s")
}

func (c *collector) secret(name string, items []v1.KeyToPath, optional *bool, mode int32) {
	object, err := c.read("secrets", name)
	if object == nil {
		c.failUnless(optional, err, "secret", name)
		return
	}
	c.keys(object.(*v1.Secret).Data, items, optional, mode, "references non-existent secret key: %s")
}

// read goes past any cache: a node may read only what its pods use, so a remote one holds no table of it.
func (c *collector) read(table, name string) (client.Object, error) {
	object, err := c.volumes.cfg.Client.GetLive(c.ctx, client.Ref{Table: table, Namespace: c.pod.Namespace, Name: name})
	if err != nil {
		return nil, err
	}
	return object, nil
}

// failUnless lets an absent object pass if it is optional; any other error counts, for it may be there.
func (c *collector) failUnless(optional *bool, err error, kind, name string) {
	if !apierrors.IsNotFound(err) {
		c.fail(fmt.Errorf("read %s %q: %w", kind, name, err))
		return
	}
	if !isTrue(optional) {
		c.fail(apierrors.NewNotFound(v1.Resource(kind), name))
	}
}

// keys adds all of the object's keys, or the items with their own paths and modes.
func (c *collector) keys(data map[string][]byte, items []v1.KeyToPath, optional *bool, mode int32, missing string) {
	if len(items) == 0 {
		for key, value := range data {
			c.payload[key] = projection{data: value, mode: mode}
		}
		return
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			if !isTrue(optional) {
				c.fail(fmt.Errorf(missing, item.Key))
			}
			continue
		}
		c.payload[item.Path] = projection{data: value, mode: orMode(item.Mode, mode)}
	}
}

func orMode(own *int32, general int32) int32 {
	if own != nil {
		return *own
	}
	return general
}

func isTrue(b *bool) bool { return b != nil && *b }

// uses says whether the volume's content comes from the object, of the table, in the pod's namespace.
func uses(source *v1.VolumeSource, table, name string) bool {
	switch {
	case source.ConfigMap != nil:
		return table == "configmaps" && source.ConfigMap.Name == name
	case source.Secret != nil:
		return table == "secrets" && source.Secret.SecretName == name
	case source.DownwardAPI != nil:
		return table == "pods"
	case source.Projected == nil:
		return false
	}
	for _, s := range source.Projected.Sources {
		if s.ConfigMap != nil && table == "configmaps" && s.ConfigMap.Name == name ||
			s.Secret != nil && table == "secrets" && s.Secret.Name == name ||
			s.DownwardAPI != nil && table == "pods" {
			return true
		}
	}
	return false
}

// fileMap is the form of maps in files of the downward API: key="value", one a line.
func fileMap(values map[string]string) string {
	lines := make([]string, 0, len(values))
	for _, key := range sortedKeys(values) {
		lines = append(lines, fmt.Sprintf("%s=%q", key, values[key]))
	}
	return strings.Join(lines, "\n")
}
