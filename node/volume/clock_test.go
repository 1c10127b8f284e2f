package volume_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
)

// clock stands still until it is moved.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiter
}

type waiter struct {
	at time.Time
	ch chan time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := waiter{c.now.Add(d), make(chan time.Time, 1)}
	c.waiting = append(c.waiting, w)
	c.ringLocked()
	return w.ch
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.ringLocked()
}

func (c *clock) ringLocked() {
	for _, w := range c.waiting {
		if !w.at.After(c.now) {
			select {
			case w.ch <- c.now:
			default:
			}
		}
	}
}

// tokenClient grants tokens that tell for whom and how many there were.
type tokenClient struct {
	client.Client
	clock *clock
	mu    sync.Mutex
	count int
	reads atomic.Int64 // of the pod's own objects, see sentinel
}

func (c *tokenClient) GetLive(ctx context.Context, ref client.Ref) (client.Object, error) {
	if ref.Name != sentinel {
		c.reads.Add(1)
	}
	return c.Client.GetLive(ctx, ref)
}

func (c *tokenClient) Create(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.CreateOptions) (client.Object, error) {
	if sub != "token" {
		return c.Client.Create(ctx, ref, sub, obj, opts)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	request := obj.(*authenticationv1.TokenRequest).DeepCopy()
	request.Status.Token = fmt.Sprintf("token %d of %s/%s for pod %s", c.count, ref.Namespace, ref.Name, request.Spec.BoundObjectRef.Name)
	request.Status.ExpirationTimestamp = metav1.NewTime(c.clock.Now().Add(time.Duration(*request.Spec.ExpirationSeconds) * time.Second))
	return request, nil
}
