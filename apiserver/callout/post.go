package callout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// AnswerLimit is the longest answer to a call that is read.
const AnswerLimit = 32 << 20

// Post sends a JSON document and returns the answer's. The context bounds the whole call. query is added to the URL.
// An answer with another code than success is an error with what the other side said, as clients of the API word it.
func (e *Endpoint) Post(ctx context.Context, query url.Values, document []byte) ([]byte, error) {
	to := e.URL
	if len(query) > 0 {
		to.RawQuery = query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.Header.Set("User-Agent", e.agent)
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, AnswerLimit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	case len(answer) > AnswerLimit:
		return nil, fmt.Errorf("read answer: it is longer than %d bytes", AnswerLimit)
	case response.StatusCode < http.StatusOK || response.StatusCode > http.StatusPartialContent:
		return nil, refused(response, answer)
	}
	return answer, nil
}

func refused(response *http.Response, answer []byte) error {
	message := "unknown"
	if isText(response.Header.Get("Content-Type")) {
		message = strings.TrimSpace(string(answer[:min(len(answer), 2048)]))
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		seconds = 0 // nothing said, or a date
	}
	return apierrors.NewGenericServerResponse(response.StatusCode, http.MethodPost, schema.GroupResource{}, "", message, seconds, true)
}

func isText(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && strings.HasPrefix(media, "text/")
}
