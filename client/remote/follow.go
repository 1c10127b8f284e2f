package remote

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/resource"
)

// Streams end after five to ten minutes, not all at once, so that they move to new servers and certificates.
const minStreamSeconds = 300

// maxFrame bounds one event; the API takes no object of half that size.
const maxFrame = 16 << 20

// Follow implements client.Streamer. What is there already comes through the stream too where the server can do that,
// and by a list before it where it cannot.
func (r *Remote) Follow(ctx context.Context, sel client.Selection, after int64) (client.Stream, error) {
	row, err := r.row(sel.Table)
	if err != nil {
		return nil, err
	}
	if after != 0 {
		return r.watch(ctx, row, sel, url.Values{"resourceVersion": {strconv.FormatInt(after, 10)}})
	}
	stream, err := r.watch(ctx, row, sel, url.Values{"sendInitialEvents": {"true"}, "resourceVersionMatch": {"NotOlderThan"}})
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) { // an older server
		return r.listAndWatch(ctx, row, sel)
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

func selectionCall(row *resource.Resource, sel client.Selection, query url.Values) *call {
	if sel.Fields != "" {
		query.Set("fieldSelector", sel.Fields)
	}
	return &call{method: http.MethodGet, row: row, ref: client.Ref{Table: sel.Table, Namespace: sel.Namespace}, query: query}
}

func (r *Remote) watch(ctx context.Context, row *resource.Resource, sel client.Selection, query url.Values) (client.Stream, error) {
	query.Set("watch", "true")
	query.Set("allowWatchBookmarks", "true")
	query.Set("timeoutSeconds", strconv.Itoa(minStreamSeconds+rand.IntN(minStreamSeconds)))
	ctx, cancel := context.WithCancel(ctx)
	c := selectionCall(row, sel, query)
	resp, err := r.send(ctx, c, mediaProtobuf+";stream=watch, "+mediaJSON+";stream=watch, "+mediaJSON)
	if err != nil {
		cancel()
		return nil, err
	}
	contentType := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what can be read of the reason
		resp.Body.Close()
		return nil, r.failure(c, resp, body)
	}
	s := &stream{row: row, contentType: contentType, cancel: cancel, body: resp.Body}
	if media, _, _ := mime.ParseMediaType(contentType); media == mediaProtobuf {
		s.read = frames(resp.Body)
	} else {
		s.read = lines(resp.Body)
	}
	return s, nil
}

// stream reads the events of one watch.
type stream struct {
	row         *resource.Resource
	contentType string
	read        func() (kind string, object []byte, err error)
	cancel      context.CancelFunc
	body        io.Closer
}

// Close implements client.Stream.
func (s *stream) Close() {
	s.cancel()
	s.body.Close()
}

// Next implements client.Stream.
func (s *stream) Next() (client.Message, error) {
	kind, object, err := s.read()
	if err != nil {
		return client.Message{}, err
	}
	if kind == "ERROR" {
		status, err := decodeStatus(s.contentType, object)
		if err != nil {
			return client.Message{}, fmt.Errorf("read the end of a watch: %w", err)
		}
		return client.Message{}, &apierrors.StatusError{ErrStatus: *status}
	}
	obj := s.row.New()
	if err := decode(s.contentType, object, obj); err != nil {
		return client.Message{}, err
	}
	m := client.Message{Object: obj}
	if m.Revision, err = strconv.ParseInt(obj.GetResourceVersion(), 10, 64); err != nil {
		return client.Message{}, fmt.Errorf("read a watch: revision of %s: %w", obj.GetName(), err)
	}
	switch kind {
	case "ADDED":
		m.Type = client.Created
	case "MODIFIED":
		m.Type = client.Updated
	case "DELETED":
		m.Type = client.Deleted
	case "BOOKMARK":
		m.Complete = obj.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
		m.Object = nil
	default:
		return client.Message{}, fmt.Errorf("read a watch: unknown event %q", kind)
	}
	return m, nil
}

// frames reads protobuf events, each behind its length. Only the object within has the envelope of bodies.
func frames(body io.Reader) func() (string, []byte, error) {
	buffered := bufio.NewReader(body)
	return func() (string, []byte, error) {
		var head [4]byte
		if _, err := io.ReadFull(buffered, head[:]); err != nil {
			return "", nil, err // io.EOF between two events
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > maxFrame {
			return "", nil, fmt.Errorf("read a watch: an event of %d bytes", size)
		}
		frame := make([]byte, size) // objects keep parts of it
		if _, err := io.ReadFull(buffered, frame); err != nil {
			return "", nil, errors.Join(errors.New("read a watch: it broke inside an event"), err)
		}
		var event metav1.WatchEvent
		if err := event.Unmarshal(frame); err != nil {
			return "", nil, fmt.Errorf("read a watch: %w", err)
		}
		return event.Type, event.Object.Raw, nil
	}
}

// lines reads JSON events.
func lines(body io.Reader) func() (string, []byte, error) {
	decoder := json.NewDecoder(body)
	return func() (string, []byte, error) {
		var event metav1.WatchEvent
		if err := decoder.Decode(&event); err != nil {
			return "", nil, err
		}
		return event.Type, event.Object.Raw, nil
	}
}
