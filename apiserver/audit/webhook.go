package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/utils/clock"
)

const (
	postTries   = 5
	postTimeout = 30 * time.Second
)

// WebhookConfig says where events are posted.
type WebhookConfig struct {
	URL    string        // required
	Client *http.Client  // required: with the certificates and credentials
	Delay  time.Duration // optional: before the second try, half as long again before each further; 0 means 10 s
	Clock  clock.Clock   // required
}

// Webhook is a sink that posts lists of events.
type Webhook struct{ config WebhookConfig }

// NewWebhook makes the sink.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	if c.URL == "" || c.Client == nil || c.Clock == nil {
		return nil, errors.New("make audit webhook: URL, Client and Clock are required")
	}
	if c.Delay == 0 {
		c.Delay = 10 * time.Second
	}
	return &Webhook{config: c}, nil
}

// Write implements Sink: it returns when the other side has the events, or has refused them or been away five times.
func (w *Webhook) Write(events ...*auditv1.Event) error {
	list := auditv1.EventList{}
	list.Kind, list.APIVersion = "EventList", auditv1.SchemeGroupVersion.String()
	for _, e := range events {
		list.Items = append(list.Items, *e)
	}
	body, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode audit events: %w", err)
	}
	delay := w.config.Delay
	for try := 1; ; try++ {
		again, err := w.post(body)
		if err == nil {
			return nil
		}
		if !again || try == postTries {
			return fmt.Errorf("post %d audit events to %s, try %d: %w", len(events), w.config.URL, try, err)
		}
		<-w.config.Clock.After(delay)
		delay += delay / 2
	}
}

// post says whether another try may help.
func (w *Webhook) post(body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := w.config.Client.Do(request)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	if err != nil {
		return true, err
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return false, nil
	}
	busy := response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests
	return busy, fmt.Errorf("answered %s: %s", response.Status, said)
}

// Run implements Sink; a webhook has nothing to do between events.
func (w *Webhook) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
