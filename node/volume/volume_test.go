package volume_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	kind "proa/kinds/resource"
	"proa/kinds/storage"
	"proa/node/volume"
)

// node is a volume manager over an API in memory, whose clock stands still until a test moves it.
type node struct {
	*volume.Volumes
	t            *testing.T
	root, locals string
	client       *tokenClient
	clock        *clock
	pull         func(ctx context.Context, image string) (string, error) // of image volumes
}

func row(name string, object func() kind.Object) *kind.Resource {
	return &kind.Resource{Version: "v1", Name: name, Kind: name, Namespaced: true, New: object,
		NewList: func() apiruntime.Object { return nil }}
}

func cluster(name string, object func() kind.Object) *kind.Resource {
	r := row(name, object)
	r.Namespaced = false
	return r
}

func newNode(t *testing.T) *node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("volumes are mounted and change owners: that needs root")
	}
	api := fake.New(fake.Config{Kinds: kinds.New(
		row("configmaps", func() kind.Object { return &v1.ConfigMap{} }),
		row("secrets", func() kind.Object { return &v1.Secret{} }),
		row("pods", func() kind.Object { return &v1.Pod{} }),
		row("persistentvolumeclaims", func() kind.Object { return &v1.PersistentVolumeClaim{} }),
		cluster("persistentvolumes", func() kind.Object { return &v1.PersistentVolume{} }))})
	n := &node{t: t, root: t.TempDir(), locals: filepath.Join(t.TempDir(), "volumes"), clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	n.client = &tokenClient{Client: api.As("node"), clock: n.clock}
	n.restart()
	return n
}

// restart makes a new manager over the same folder, as a new agent does.
func (n *node) restart() {
	n.t.Helper()
	volumes, err := volume.New(volume.Config{Root: n.root, Locals: n.locals, Node: "worker", Client: n.client, Clock: n.clock,
		Image: func(ctx context.Context, _ *v1.Pod, image string, _ v1.PullPolicy) (string, error) {
			return n.pull(ctx, image)
		},
		Allocatable: v1.ResourceList{v1.ResourceMemory: resource.MustParse("64Mi"), v1.ResourceCPU: resource.MustParse("2")}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.Volumes = volumes
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(n.t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	n.t.Cleanup(func() { cancel(); <-done })
}

// pod reads the spec of a pod that is also in the API.
func (n *node) pod(spec string) *v1.Pod {
	n.t.Helper()
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web",
		Labels: map[string]string{"app": "web", "a": "b"}}}
	if err := yaml.UnmarshalStrict([]byte(spec), &pod.Spec); err != nil {
		n.t.Fatal(err)
	}
	return n.put("pods", pod).DeepCopyObject().(*v1.Pod)
}

// put creates or updates an object.
func (n *node) put(table string, object client.Object) client.Object {
	n.t.Helper()
	if table != "persistentvolumes" {
		object.SetNamespace("shop")
	}
	if table == "pods" {
		object.SetUID("") // the API's to give
	}
	ref := client.RefOf(table, object)
	var stored client.Object
	var err error
	if n.client.View().Get(ref) == nil {
		stored, err = n.client.Client.Create(n.t.Context(), ref, "", object, metav1.CreateOptions{})
	} else {
		stored, err = n.client.Update(n.t.Context(), ref, "", object, metav1.UpdateOptions{})
	}
	if err != nil {
		n.t.Fatal(err)
	}
	if pod, ok := stored.(*v1.Pod); ok {
		n.t.Cleanup(func() { n.Release(context.Background(), pod.UID) })
	}
	return stored
}

func (n *node) configMap(name string, data map[string]string) {
	n.put("configmaps", &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data})
}

func (n *node) secret(name string, data map[string][]byte) {
	n.put("secrets", &v1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data})
}

func (n *node) prepare(pod *v1.Pod) map[string]string {
	n.t.Helper()
	paths, err := n.Prepare(n.t.Context(), pod)
	if err != nil {
		n.t.Fatal(err)
	}
	return paths
}

// listing prints what a container would see: mode, group and content of every name that does not start with two dots.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		err := filepath.WalkDir(resolved(t, filepath.Join(dir, entry.Name())), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			content, err := os.ReadFile(path)
			_, name, _ := strings.Cut(path, "/..2026")
			_, name, _ = strings.Cut(name, "/")
			fmt.Fprintf(&out, "%s %v %d %s\n", name, info.Mode(), info.Sys().(*syscall.Stat_t).Gid, content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func resolved(t *testing.T, path string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// eventually waits for a condition; the test's own deadline ends a wait in vain.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for !condition() {
		if t.Context().Err() != nil {
			t.Fatal("in vain")
		}
		runtime.Gosched()
	}
}

const mirrors = `
serviceAccountName: seller
securityContext: {fsGroup: 1234}
containers:
- {name: c, image: x, resources: {limits: {memory: 32Mi}, requests: {cpu: 1500m}}}
volumes:
- {name: config, configMap: {name: settings, defaultMode: 0400, items: [{key: one, path: deep/er/one}, {key: two, path: two, mode: 0644}]}}
- {name: keys, secret: {secretName: keys, defaultMode: 0644}}
- name: self
  downwardAPI:
    items:
    - {path: labels, fieldRef: {fieldPath: metadata.labels}}
    - {path: app, fieldRef: {fieldPath: "metadata.labels['app']"}}
    - {path: memory, resourceFieldRef: {containerName: c, resource: limits.memory, divisor: 1Mi}}
    - {path: cpu, resourceFieldRef: {containerName: c, resource: requests.cpu}}
    - {path: free, resourceFieldRef: {containerName: c, resource: limits.cpu, divisor: 1m}}
- name: api
  projected:
    defaultMode: 0644
    sources:
    - {serviceAccountToken: {path: token, expirationSeconds: 3600}}
    - {configMap: {name: settings, items: [{key: one, path: ca.crt}]}}
    - {secret: {name: absent, optional: true}}
    - {downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}
`

func TestMirrorsShowTheirObjects(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1", "two": "2", "three": "not asked for"})
	n.secret("keys", map[string][]byte{"key": []byte("secret")})
	pod := n.pod(mirrors)
	paths := n.prepare(pod)
	var out strings.Builder
	for _, name := range []string{"config", "keys", "self", "api"} {
		fmt.Fprintf(&out, "%s:\n%s", name, listing(t, paths[name]))
	}
	expect(t, out.String(), `config:
deep/er/one -r--r----- 1234 1
two -rw-r--r-- 1234 2
keys:
key -rw-r--r-- 1234 secret
self:
app -rw-r--r-- 1234 web
cpu -rw-r--r-- 1234 2
free -rw-r--r-- 1234 2000
labels -rw-r--r-- 1234 a="b"
app="web"
memory -rw-r--r-- 1234 32
api:
ca.crt -rw-r--r-- 1234 1
namespace -rw-r--r-- 1234 shop
token -rw-r----- 1234 token 1 of shop/seller for pod web
`)
	if want := n.root + "/" + string(pod.UID) + "/volumes/kubernetes.io~configmap/config"; paths["config"] != want {
		t.Errorf("config is at %s, want %s", paths["config"], want)
	}
}

func TestMirrorsFollowTheirObjects(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1", "two": "2"})
	n.secret("keys", map[string][]byte{"old": []byte("1")})
	pod := n.pod(mirrors)
	paths := n.prepare(pod)
	n.run()
	at := func(volume, file string) string {
		content, _ := os.ReadFile(filepath.Join(paths[volume], file))
		return string(content)
	}
	n.configMap("settings", map[string]string{"one": "new", "two": "2"})
	eventually(t, func() bool { return at("config", "deep/er/one") == "new" && at("api", "ca.crt") == "new" })
	expect(t, at("api", "token"), "token 1 of shop/seller for pod web")

	n.secret("keys", map[string][]byte{"fresh": []byte("2")})
	eventually(t, func() bool { return at("keys", "fresh") == "2" })
	eventually(t, func() bool {
		_, err := os.Lstat(filepath.Join(paths["keys"], "old"))
		return errors.Is(err, fs.ErrNotExist)
	})

	pod = pod.DeepCopy()
	pod.Labels["app"] = "renamed"
	n.put("pods", pod)
	eventually(t, func() bool { return at("self", "app") == "renamed" })

	n.secret("absent", map[string][]byte{"late": []byte("here")})
	eventually(t, func() bool { return at("api", "late") == "here" })

	// A deleted object leaves the files; when it is there again they follow it.
	if err := n.client.Delete(t.Context(), client.Ref{Table: "configmaps", Namespace: "shop", Name: "settings"}, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	n.configMap("settings", map[string]string{"one": "again", "two": "2"})
	eventually(t, func() bool { return at("config", "deep/er/one") == "again" })
}

// sentinel names the objects of another pod, whose changes show how far a table's events have been worked through.
const sentinel = "sentinel"

// What a pod's status says is in no volume, and it changes often: it must cost nothing.
func TestStatusChangesAreNotWritten(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1", "two": "2"})
	n.secret("keys", nil)
	pod := n.pod(mirrors)
	n.prepare(pod)
	n.configMap(sentinel, nil)
	n.secret(sentinel, nil)
	other := n.put("pods", &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: v1.PodSpec{Volumes: []v1.Volume{
		{Name: "configmaps", VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: sentinel}}}},
		{Name: "secrets", VolumeSource: v1.VolumeSource{Secret: &v1.SecretVolumeSource{SecretName: sentinel}}},
		{Name: "pods", VolumeSource: v1.VolumeSource{DownwardAPI: &v1.DownwardAPIVolumeSource{Items: []v1.DownwardAPIVolumeFile{
			{Path: "a", FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.labels['a']"}}}}}},
	}}}).(*v1.Pod)
	paths := n.prepare(other)
	n.run()
	change := func(table, value string) {
		switch table {
		case "configmaps":
			n.configMap(sentinel, map[string]string{"a": value})
		case "secrets":
			n.secret(sentinel, map[string][]byte{"a": []byte(value)})
		case "pods":
			other = other.DeepCopy()
			other.Labels = map[string]string{"a": value}
			other = n.put("pods", other).(*v1.Pod)
		}
		eventually(t, func() bool {
			content, _ := os.ReadFile(filepath.Join(paths[table], "a"))
			return string(content) == value
		})
	}
	// The first change may be seen by what a watch's begin writes, the second only by an event, which comes after all of that.
	for _, table := range []string{"configmaps", "secrets", "pods"} {
		change(table, "first")
		change(table, "second")
	}
	before := n.client.reads.Load()
	pod = pod.DeepCopy()
	pod.Status.Phase = v1.PodRunning
	n.put("pods", pod)
	change("pods", "seen") // events come in order
	if after := n.client.reads.Load(); after != before {
		t.Errorf("a change of status read %d objects", after-before)
	}
}

func TestPullHoldsUpNobodyElse(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1", "two": "2"})
	n.secret("keys", nil)
	paths := n.prepare(n.pod(mirrors))
	n.run()
	pulling, arrived := make(chan struct{}), make(chan struct{})
	n.pull = func(ctx context.Context, image string) (string, error) {
		close(pulling)
		select {
		case <-arrived:
			return "id of " + image, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	slow := n.put("pods", &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "slow"}, Spec: v1.PodSpec{Volumes: []v1.Volume{
		{Name: "files", VolumeSource: v1.VolumeSource{Image: &v1.ImageVolumeSource{Reference: "big"}}},
		{Name: "config", VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: "settings"}}}}}}}).(*v1.Pod)
	prepared := make(chan map[string]string)
	go func() {
		got, err := n.Prepare(t.Context(), slow)
		if err != nil {
			t.Error(err)
		}
		prepared <- got
	}()
	<-pulling
	for _, value := range []string{"new", "newer"} { // the second change waits for the first to be dealt with everywhere
		n.configMap("settings", map[string]string{"one": value, "two": "2"})
		eventually(t, func() bool {
			content, _ := os.ReadFile(filepath.Join(paths["config"], "deep/er/one"))
			return string(content) == value
		})
	}
	close(arrived)
	expect(t, (<-prepared)["files"], "id of big")
}

func TestTokensAreRenewedAfterFourFifths(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1", "two": "2"})
	n.secret("keys", nil)
	pod := n.pod(mirrors)
	paths := n.prepare(pod)
	token := func() string {
		content, _ := os.ReadFile(filepath.Join(paths["api"], "token"))
		return string(content)
	}
	n.run()
	n.clock.advance(47 * time.Minute)
	n.prepare(pod)
	expect(t, token(), "token 1 of shop/seller for pod web")
	n.clock.advance(time.Minute)
	eventually(t, func() bool { return token() == "token 2 of shop/seller for pod web" })
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	n := newNode(t)
	n.configMap("settings", map[string]string{"one": "1"})
	for source, want := range map[string]string{
		"configMap: {name: nope}":                                                 `configmap "nope" not found`,
		"secret: {secretName: nope}":                                              `secret "nope" not found`,
		"configMap: {name: settings, items: [{key: k, path: p}]}":                 `configmap references non-existent config key: k`,
		"hostPath: {path: /nonexistent, type: Directory}":                         `hostPath type check failed: /nonexistent is not a directory`,
		"hostPath: {path: /dev/null, type: BlockDevice}":                          `hostPath type check failed: /dev/null is not a block device`,
		"hostPath: {path: /etc, type: File}":                                      `hostPath type check failed: /etc is not a file`,
		"hostPath: {path: /etc, type: Socket}":                                    `hostPath type check failed: /etc is not a socket file`,
		"hostPath: {path: /etc, type: CharDevice}":                                `hostPath type check failed: /etc is not a character device`,
		"emptyDir: {medium: Tape}":                                                `unknown storage medium "Tape"`,
		"configMap: {name: settings, items: [{key: one, path: ../escape}]}":       `invalid path: must not contain '..': ../escape`,
		"configMap: {name: settings, items: [{key: one, path: ..data}]}":          `invalid path: must not start with '..': ..data`,
		"persistentVolumeClaim: {claimName: c}":                                   `persistentvolumeclaims "c" not found`,
		"nfs: {server: s, path: /}":                                               `this kind of volume is not supported by the node`,
		"downwardAPI: {items: [{path: p, fieldRef: {fieldPath: spec.nodeName}}]}": `unsupported fieldPath: spec.nodeName`,
	} {
		pod := n.pod("volumes: [{name: v, " + source + "}]\ncontainers: [{name: c, image: x}]")
		_, err := n.Prepare(t.Context(), pod)
		if want := `MountVolume.SetUp failed for volume "v" : ` + want; err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", source, err, want)
		}
	}
	n.prepare(n.pod("volumes: [{name: v, configMap: {name: nope, optional: true}}]\ncontainers: [{name: c, image: x}]"))
}

func TestHostPathIsMadeOnRequest(t *testing.T) {
	n := newNode(t)
	dir := t.TempDir()
	n.prepare(n.pod(fmt.Sprintf(`
volumes:
- {name: d, hostPath: {path: %[1]s/a/b, type: DirectoryOrCreate}}
- {name: f, hostPath: {path: %[1]s/f, type: FileOrCreate}}
containers: [{name: c, image: x}]`, dir)))
	for name, want := range map[string]string{"a/b": "drwxr-xr-x", "f": "-rw-r--r--"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

const scratch = `
securityContext: {fsGroup: 99}
volumes: [{name: disk, emptyDir: {}}, {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]
containers: [{name: c, image: x}]`

func TestEmptyDirKeepsItsContentUntilRelease(t *testing.T) {
	n := newNode(t)
	pod := n.pod(scratch)
	paths := n.prepare(pod)
	modes := map[string]string{"disk": "dgrwxrwxrwx", "memory": "dgtrwxrwxrwx"}
	for name, path := range paths {
		info, err := os.Stat(path)
		if err != nil || info.Mode().String() != modes[name] || info.Sys().(*syscall.Stat_t).Gid != 99 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
		if err := os.WriteFile(filepath.Join(path, "kept"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(paths["memory"], "big"), make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a memory volume grew beyond its limit: %v", err)
	}
	n.restart()
	for name, path := range n.prepare(pod) {
		if content, err := os.ReadFile(filepath.Join(path, "kept")); err != nil || string(content) != "x" {
			t.Errorf("%s lost its content: %v", name, err)
		}
	}
	n.restart() // Release knows nothing of the pod but its uid
	if err := n.Release(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(n.root + "/*/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), n.root) {
		t.Error("mounts are left")
	}
}

// A claim's volume is a directory that outlives its pods, and goes when the volume does.
func TestClaim(t *testing.T) {
	n := newNode(t)
	n.run()
	pv := &v1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pvc-1", UID: "v1", Finalizers: []string{storage.LocalFinalizer}}}
	pv.Spec.CSI = &v1.CSIPersistentVolumeSource{Driver: storage.LocalDriver, VolumeHandle: "pvc-1", VolumeAttributes: map[string]string{storage.LocalNode: "worker"}}
	pv.Spec.ClaimRef = &v1.ObjectReference{Namespace: "shop", Name: "data", UID: "c1"}
	claim := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", UID: "c1"}}
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "p1"}}
	group := int64(4711)
	pod.Spec.SecurityContext = &v1.PodSecurityContext{FSGroup: &group}
	pod.Spec.Volumes = []v1.Volume{{Name: "v", VolumeSource: v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
	pv, claim = n.put("persistentvolumes", pv).(*v1.PersistentVolume), n.put("persistentvolumeclaims", claim).(*v1.PersistentVolumeClaim)

	_, err := n.Prepare(t.Context(), pod)
	wantError(t, err, `MountVolume.SetUp failed for volume "v" : persistentvolumeclaim "data" has no volume yet`)

	claim, pv = claim.DeepCopy(), pv.DeepCopy()
	pv.Spec.ClaimRef.UID = claim.UID
	pv = n.put("persistentvolumes", pv).DeepCopyObject().(*v1.PersistentVolume)
	claim.Spec.VolumeName, claim.Status.Phase = "pvc-1", v1.ClaimBound
	n.put("persistentvolumeclaims", claim)
	paths, err := n.Prepare(t.Context(), pod)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(n.locals, "pvc-1"); paths["v"] != want {
		t.Fatalf("the volume is at %s, want %s", paths["v"], want)
	}
	info, err := os.Stat(paths["v"])
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o777 || info.Sys().(*syscall.Stat_t).Gid != uint32(group) {
		t.Errorf("the volume has mode %v and group %d", info.Mode(), info.Sys().(*syscall.Stat_t).Gid)
	}
	if err := os.WriteFile(filepath.Join(paths["v"], "row"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Release(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}
	n.restart()
	n.run()
	if paths, err = n.Prepare(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(paths["v"], "row")); err != nil {
		t.Fatalf("the volume's content did not outlive its pod: %v", err)
	}
	if err := n.Release(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}

	for name, spoil := range map[string]func(*v1.PersistentVolume){
		`MountVolume.SetUp failed for volume "v" : "../pvc-1" names no directory`:                                         func(pv *v1.PersistentVolume) { pv.Spec.CSI.VolumeHandle = "../pvc-1" },
		`MountVolume.SetUp failed for volume "v" : persistentvolume "pvc-1" is a directory of node "other"`:               func(pv *v1.PersistentVolume) { pv.Spec.CSI.VolumeAttributes[storage.LocalNode] = "other" },
		`MountVolume.SetUp failed for volume "v" : persistentvolume "pvc-1" is not bound to persistentvolumeclaim "data"`: func(pv *v1.PersistentVolume) { pv.Spec.ClaimRef.UID = "c2" },
		`MountVolume.SetUp failed for volume "v" : the source of persistentvolume "pvc-1" is not supported by the node`:   func(pv *v1.PersistentVolume) { pv.Spec.CSI.Driver = "disks.example.com" },
	} {
		bad := pv.DeepCopy()
		bad.ResourceVersion = ""
		spoil(bad)
		n.put("persistentvolumes", bad)
		_, err := n.Prepare(t.Context(), pod)
		wantError(t, err, name)
	}
	pv.ResourceVersion = ""
	n.put("persistentvolumes", pv)

	if err := n.client.Delete(t.Context(), client.Ref{Table: "persistentvolumes", Name: "pvc-1"}, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for view := n.client.View(); view.Get(client.Ref{Table: "persistentvolumes", Name: "pvc-1"}) != nil; view = n.client.View() {
		w, err := n.client.Watch("persistentvolumes", view)
		if err == nil {
			_, err = w.Next(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(n.locals, "pvc-1")); !os.IsNotExist(err) {
		t.Errorf("the directory of a deleted volume is still there: %v", err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
