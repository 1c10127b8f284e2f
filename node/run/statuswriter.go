package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"proa/client"
	"proa/internal/pause"
	"proa/node/pod"
)

// statusWriter writes a pod's status: the first change at once, those that come while a write is under way as one. A write that
// fails is tried again with the newest status.
type statusWriter struct {
	client client.Client
	log    *slog.Logger
	wake   chan struct{}

	writing sync.Mutex // held around a write; taken before mu
	mu      struct {
		sync.Mutex
		pod     *v1.Pod // as the API has it, as far as known; nil: it does not show the node's own pod at present
		wanted  *v1.PodStatus
		written *v1.PodStatus
		gone    bool
		static  bool // pod is a mirror
	}
}

func newStatusWriter(c client.Client, p *v1.Pod, log *slog.Logger) *statusWriter {
	s := &statusWriter{client: c, log: log, wake: make(chan struct{}, 1)}
	if s.mu.static = pod.IsStatic(p); !s.mu.static {
		s.mu.pod, s.mu.written = p, &p.Status
	}
	return s
}

// showBy says where to write the status of a static pod.
func (s *statusWriter) showBy(mirror *v1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.pod == nil || s.mu.pod.UID != mirror.UID || newer(mirror, s.mu.pod) {
		s.mu.pod, s.mu.written = mirror, &mirror.Status
	}
	s.wakeLocked()
}

// hide says that a mirror is gone. Another may have taken its place.
func (s *statusWriter) hide(mirror types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.pod != nil && s.mu.pod.UID == mirror {
		s.mu.pod, s.mu.written = nil, nil
	}
}

// want says what the status should be. p is the newest pod the machine knows.
func (s *statusWriter) want(p *v1.Pod, status v1.PodStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.static && p != s.mu.pod && newer(p, s.mu.pod) {
		s.mu.pod, s.mu.written = p, &p.Status
	}
	s.mu.wanted = &status
	s.wakeLocked()
}

// wakeLocked has the status written unless it is, or cannot be.
func (s *statusWriter) wakeLocked() {
	if s.mu.pod == nil || s.mu.wanted == nil || equality.Semantic.DeepEqual(s.mu.written, s.mu.wanted) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// newer compares versions of one object, which the API numbers upwards.
func newer(a, b *v1.Pod) bool {
	if len(a.ResourceVersion) != len(b.ResourceVersion) {
		return len(a.ResourceVersion) > len(b.ResourceVersion)
	}
	return a.ResourceVersion > b.ResourceVersion
}

// run writes until ctx ends.
func (s *statusWriter) run(ctx context.Context) {
	delay := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		err := s.flush(ctx)
		if err == nil {
			delay = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		delay = min(max(2*delay, 100*time.Millisecond), 10*time.Second)
		s.log.Info("write status again", "error", err, "in", delay)
		pause.For(ctx, delay)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// flush writes the wanted status now, unless it is written.
func (s *statusWriter) flush(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	p, wanted, written, gone := s.mu.pod, s.mu.wanted, s.mu.written, s.mu.gone
	s.mu.Unlock()
	if gone || p == nil || wanted == nil || equality.Semantic.DeepEqual(written, wanted) {
		return nil
	}
	patch, err := statusPatch(p.UID, written, wanted)
	if err != nil || patch == nil {
		return err
	}
	object, err := s.client.Patch(ctx, client.RefOf("pods", p), "status", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) || replaced(err) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mu.static {
			s.mu.pod, s.mu.written = nil, nil // until the next mirror
		} else {
			s.mu.gone = true
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("patch status of pod: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored, ok := object.(*v1.Pod); ok && s.mu.pod != nil && s.mu.pod.UID == stored.UID && newer(stored, s.mu.pod) {
		s.mu.pod, s.mu.written = stored, &stored.Status
	}
	return nil
}

// replaced says whether a write was refused because the pod's name is another's by now.
func replaced(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}

// statusPatch turns one status into another, nil when they encode alike. The uid guards against a newer pod of the same name; other writers' conditions stay.
func statusPatch(uid types.UID, from, to *v1.PodStatus) ([]byte, error) {
	before, err := json.Marshal(v1.Pod{Status: *from})
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	after, err := json.Marshal(v1.Pod{Status: *to})
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, v1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("compare statuses: %w", err)
	}
	if string(patch) == "{}" {
		return nil, nil
	}
	guard := fmt.Appendf(nil, `{"metadata":{"uid":%q},`, uid)
	return append(guard, patch[1:]...), nil
}
