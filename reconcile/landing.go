package reconcile

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// landing is a client that remembers what was written through it, so that the key that wrote is looked at again only
// when its view holds the writes. See the package's doc.
type landing struct {
	client.Client
	mu struct {
		sync.Mutex
		written []client.Object
	}
}

func (l *landing) note(obj client.Object, opts []string) {
	if obj == nil || len(opts) > 0 { // a dry run lands nowhere
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.written = append(l.mu.written, obj)
}

// Create implements client.Client.
func (l *landing) Create(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.CreateOptions) (client.Object, error) {
	out, err := l.Client.Create(ctx, ref, sub, obj, opts)
	if err == nil && sub == "" {
		l.note(out, opts.DryRun)
	}
	return out, err
}

// Update implements client.Client.
func (l *landing) Update(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.UpdateOptions) (client.Object, error) {
	out, err := l.Client.Update(ctx, ref, sub, obj, opts)
	if err == nil {
		l.note(out, opts.DryRun)
	}
	return out, err
}

// Patch implements client.Client.
func (l *landing) Patch(ctx context.Context, ref client.Ref, sub string, kind types.PatchType, patch []byte, opts metav1.PatchOptions) (client.Object, error) {
	out, err := l.Client.Patch(ctx, ref, sub, kind, patch, opts)
	if err == nil {
		l.note(out, opts.DryRun)
	}
	return out, err
}

// wait returns when views hold all that was written.
func (l *landing) wait(ctx context.Context) error {
	l.mu.Lock()
	written := l.mu.written
	l.mu.Unlock()
	for _, obj := range written {
		if err := l.Client.WaitFor(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}
