// Package webhook asks somebody outside who a token stands for (TokenReview) and whether a request is allowed
// (SubjectAccessReview), as the cluster's configuration says.
//
// It decides nothing itself but what an answer that does not come means; it owns the connections, and keeps answers for as
// long as the configuration allows. The authenticator and the authorizer of the API server call it. When the other side is gone,
// a token is refused, and a request is decided by the failure policy. Without a configuration nothing of it exists.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	answerLimit = 1 << 20
	tries       = 3 // of one question, while the other side fails; upstream asks up to five times
	pause       = 200 * time.Millisecond
)

// client posts reviews to the server of a kubeconfig.
type client struct {
	url  string
	http *http.Client
}

// open reads a kubeconfig: its current context says where the other side is, whom it trusts, and as whom it is asked.
func open(kubeconfig string) (*client, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	config.Timeout = 0 // each question brings its own
	h, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make client of %s: %w", kubeconfig, err)
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{url: config.Host, http: h}, nil
}

// errAgain marks what may pass.
var errAgain = errors.New("the other side fails")

// post sends a review and reads the answer into the same shape.
func (c *client) post(ctx context.Context, review, answer any) error {
	body, err := json.Marshal(review)
	if err != nil {
		return fmt.Errorf("encode review: %w", err)
	}
	for try := 1; ; try++ {
		err := c.once(ctx, body, answer)
		if err == nil || !errors.Is(err, errAgain) || try == tries || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

func (c *client) once(ctx context.Context, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask webhook: %w: %w", errAgain, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	switch {
	case err != nil:
		return fmt.Errorf("ask webhook: %w: %w", errAgain, err)
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return fmt.Errorf("ask webhook: %w: %s", errAgain, resp.Status)
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return fmt.Errorf("ask webhook: %s", resp.Status)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("read the webhook's answer: %w", err)
	}
	return nil
}
