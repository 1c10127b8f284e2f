// Package static runs pods that are a node's own: from files in a folder, whether there is an API or not.
//
// It decides which pods the files ask for and what shows them in the API; it owns the mirror pods of its node, and no other. The
// runner is told which pods there are and runs them like all others. The folder is watched: a file that appears, changes or goes
// takes effect at once; one that cannot be read any more leaves its pods as they were. When the API is gone the pods run on,
// and their mirrors follow later.
package static

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/internal/pause"
	"proa/node/pod"
)

// Runner runs pods.
type Runner interface {
	// SetStatic says which pods the node runs of its own. It is quick; it keeps the pods, which nobody changes.
	SetStatic(pods []*v1.Pod)
}

// Config says where pods come from. All fields are required unless said otherwise.
type Config struct {
	Dir      string // need not exist
	NodeName string
	Client   client.Client // acts as system:node:NAME
	Runner   Runner
	Log      *slog.Logger
	Now      func() time.Time // optional
}

// Source is the pods of one folder. See Load and Run.
type Source struct {
	Config
	wake  chan struct{}
	files map[string]manifest // by name
	pods  []*v1.Pod
}

// manifest is a file as it was read last.
type manifest struct {
	content string
	pods    []*v1.Pod
}

// retry bounds how often the API is asked again after it refused.
const (
	retryFirst = 200 * time.Millisecond
	retryLast  = 10 * time.Second
)

// New reads nothing yet.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{Config: c, wake: make(chan struct{}, 1), files: map[string]manifest{}}
}

// Load reads the folder and tells the runner. Before the runner begins it is called once, so that what runs is known to be wanted.
func (s *Source) Load() {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Log.Warn("read folder of manifests", "folder", s.Dir, "error", err)
		return
	}
	files := map[string]manifest{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			if m, ok := s.read(e.Name()); ok {
				files[e.Name()] = m
			}
		}
	}
	s.files = files
	s.tell()
}

// read reads a file. One that makes no sense counts as what it said before: it may be half written.
func (s *Source) read(name string) (manifest, bool) {
	before, known := s.files[name]
	path := filepath.Join(s.Dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return manifest{}, false
	}
	var content []byte
	if err == nil {
		content, err = os.ReadFile(path)
	}
	if err != nil {
		s.Log.Warn("read manifest", "file", path, "error", err)
		return before, known
	}
	if known && string(content) == before.content {
		return before, true
	}
	pods, err := parse(path, content, s.NodeName)
	if err != nil {
		s.Log.Warn("the manifest is not used", "error", err)
		return manifest{string(content), before.pods}, true
	}
	for _, p := range pods {
		p.Annotations[pod.AnnotationSeen] = s.Now().Format(time.RFC3339Nano)
	}
	return manifest{string(content), pods}, true
}

// tell gives the runner the pods of all files, in the order of the files' names. Of two with one name the first counts.
func (s *Source) tell() {
	var pods []*v1.Pod
	names := map[string]bool{}
	for _, name := range sortedKeys(s.files) {
		for _, p := range s.files[name].pods {
			if full := p.Namespace + "/" + p.Name; names[full] {
				s.Log.Warn("two manifests have a pod of one name; the second is not used", "pod", full, "file", name)
			} else {
				names[full] = true
				pods = append(pods, p)
			}
		}
	}
	if !slices.Equal(pods, s.pods) {
		s.pods = pods
		s.Runner.SetStatic(pods)
	}
}

func sortedKeys(files map[string]manifest) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// changed has the folder and the mirrors looked at.
func (s *Source) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run follows the folder and keeps the mirrors until ctx ends.
func (s *Source) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{}, 2)
	for _, watch := range []func(context.Context){s.watchFolder, s.watchMirrors} {
		go func() { watch(ctx); done <- struct{}{} }()
	}
	defer func() { cancel(); <-done; <-done }()
	delay := time.Duration(0)
	for {
		s.Load()
		var again <-chan time.Time
		if err := s.keepMirrors(ctx); err != nil && ctx.Err() == nil {
			delay = min(max(2*delay, retryFirst), retryLast)
			s.Log.Info("show static pods in the API", "error", err, "again", delay)
			again = time.After(delay)
		} else {
			delay = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-again:
		}
	}
}

// watchMirrors calls changed when a mirror of the node did, until ctx ends.
func (s *Source) watchMirrors(ctx context.Context) {
	for ctx.Err() == nil {
		view := s.Client.View()
		s.changed()
		watcher, err := s.Client.Watch("pods", view)
		for err == nil {
			var events []client.Event
			if events, err = watcher.Next(ctx); err == nil && slices.ContainsFunc(events, s.concerns) {
				s.changed()
			}
		}
		if ctx.Err() == nil {
			s.Log.Info("watch mirror pods again", "error", err)
			pause.For(ctx, time.Second)
		}
	}
}

func (s *Source) concerns(e client.Event) bool {
	p, ok := e.Object.(*v1.Pod)
	return ok && pod.IsMirror(p) && p.Spec.NodeName == s.NodeName
}

// keepMirrors makes the API show the pods.
func (s *Source) keepMirrors(ctx context.Context) error {
	view := s.Client.View()
	var mirrors []*v1.Pod
	for p := range client.List[*v1.Pod](view, "pods", "") {
		if pod.IsMirror(p) && p.Spec.NodeName == s.NodeName {
			mirrors = append(mirrors, p)
		}
	}
	remove, create := plan(s.pods, mirrors)
	var errs []error
	for _, p := range remove {
		errs = append(errs, s.remove(ctx, p))
	}
	if len(create) > 0 {
		node, ok := client.Get[*v1.Node](view, "nodes", "", s.NodeName)
		if !ok {
			return errors.Join(append(errs, errors.New("the node is not registered yet"))...)
		}
		for _, p := range create {
			errs = append(errs, s.create(ctx, p, node.UID))
		}
	}
	return errors.Join(errs...)
}

func (s *Source) remove(ctx context.Context, mirror *v1.Pod) error {
	zero, uid := int64(0), mirror.UID
	err := s.Client.Delete(ctx, client.RefOf("pods", mirror), metav1.DeleteOptions{GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &uid}})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("delete mirror pod %s/%s: %w", mirror.Namespace, mirror.Name, err)
}

// create makes a mirror. One that is there already, though the view does not show it yet, is looked at when it does.
func (s *Source) create(ctx context.Context, p *v1.Pod, node types.UID) error {
	mirror := pod.Mirror(p, node)
	_, err := s.Client.Create(ctx, client.RefOf("pods", mirror), "", mirror, metav1.CreateOptions{})
	if err == nil {
		return nil
	}
	if apierrors.IsAlreadyExists(err) {
		there, getErr := s.Client.GetLive(ctx, client.RefOf("pods", mirror))
		if shown, ok := there.(*v1.Pod); getErr == nil && ok && pod.MirrorOf(shown) == p.UID {
			return nil
		}
	}
	return fmt.Errorf("create mirror pod %s/%s: %w", p.Namespace, p.Name, err)
}
