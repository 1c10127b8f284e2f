package encode

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
	"proa/store"
)

// Events gather until Flush, or until they fill a record. Between two flushes a stream has no buffer: most watchers are quiet
// most of the time, and those of a busy table take turns.
const (
	streamBuffer = recordBody
	streamSlack  = 8 << 10 // for the event that fills the record
)

var streamBuffers = sync.Pool{New: func() any { b := make([]byte, 0, streamBuffer+streamSlack); return &b }}

// Stream writes watch events to one client. One goroutine uses it; Flush sends what was written.
type Stream struct {
	p       Responder
	v       *Version
	w       http.ResponseWriter
	flush   http.Flusher
	buf     []byte  // not yet written; nil when there is nothing
	pooled  *[]byte // where buf came from
	unsent  bool    // something was written since the last Flush
	columns bool    // the table's columns were sent
	frames  *Frames // what others send as well; nil: nobody
}

// Share has the stream take events from frames that others made for the same table, and leave its own there; nil: none.
func (s *Stream) Share(f *Frames) { s.frames = f }

// Watch begins a stream of events. It writes the headers.
func (p Responder) Watch(w http.ResponseWriter, v *Version) (*Stream, error) {
	if p.Accept.Format == YAML {
		return nil, notAcceptable([]string{"application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"})
	}
	if err := p.checkInclude(); p.Accept.Shape == Table && err != nil {
		return nil, err
	}
	flusher, ok := w.(http.Flusher)
	if !ok {
		return nil, fmt.Errorf("stream a watch: %T cannot flush", w)
	}
	media := p.Accept.Format.MediaType()
	if p.Accept.Format == Protobuf {
		media += ";stream=watch"
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-cache, private")
	w.WriteHeader(http.StatusOK)
	flusher.Flush()
	return &Stream{p: p, v: v, w: w, flush: flusher}, nil
}

// Item sends an event about a stored object.
func (s *Stream) Item(kind string, item *store.Item) error {
	if s.p.Accept.Shape != Whole {
		shown, err := s.v.Object(item)
		if err != nil {
			return err
		}
		ruled, err := s.v.Ruled(item)
		if err != nil {
			return err
		}
		return s.shaped(kind, ruled, shown)
	}
	if s.p.Accept.Format == Protobuf {
		return s.proto(kind, item)
	}
	body, err := s.v.json(item)
	if err != nil {
		return err
	}
	return s.line(kind, body)
}

func (s *Stream) proto(kind string, item *store.Item) error {
	if made := s.frames.find(kind, item, s.v); made != nil {
		s.take()
		s.buf = append(s.buf, made...)
		return s.written()
	}
	body, err := s.v.proto(item)
	if err != nil {
		return err
	}
	apiVersion, size := s.v.Kind.GroupVersion().String(), body.size()
	start := s.frameHead(kind, unknownSize(apiVersion, s.v.Kind.Kind, size))
	s.buf = body.append(appendUnknown(s.buf, apiVersion, s.v.Kind.Kind, size))
	s.frameEnd(start)
	s.frames.leave(kind, item, s.v, s.buf[start:])
	return s.written()
}

func (s *Stream) shaped(kind string, ruled, shown resource.Object) error {
	if s.p.Accept.Shape == Partial {
		return s.Object(kind, partial(s.v.Resource, ruled, s.p.Accept.Version))
	}
	t := newTable(s.v.Resource, s.p.Accept.Version)
	if err := t.add(ruled, shown, s.p); err != nil {
		return err
	}
	t.ResourceVersion = shown.GetResourceVersion()
	if s.columns {
		t.ColumnDefinitions = nil
	}
	s.columns = true
	return s.Object(kind, &t.Table)
}

// Bookmark tells how far the stream has come; initial says that all that was there at the start has been sent.
func (s *Stream) Bookmark(rev store.Revision, initial bool) error {
	obj := s.v.New()
	obj.GetObjectKind().SetGroupVersionKind(s.v.Kind)
	obj.SetResourceVersion(FormatRevision(rev))
	if initial {
		obj.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	if blank := s.v.Resource.Blank; blank != nil && s.v.served == nil {
		blank(obj)
	}
	switch s.p.Accept.Shape {
	case Partial:
		return s.Object("BOOKMARK", partial(s.v.Resource, obj, s.p.Accept.Version))
	case Table:
		t := newTable(s.v.Resource, s.p.Accept.Version)
		if err := t.add(s.v.Resource.New(), obj, s.p); err != nil {
			return err
		}
		t.ResourceVersion = FormatRevision(rev)
		if s.columns {
			t.ColumnDefinitions = nil
		}
		s.columns = true
		return s.Object("BOOKMARK", &t.Table)
	}
	return s.Object("BOOKMARK", obj)
}

// Error sends a Status as the last event.
func (s *Stream) Error(err error) error { return s.Object("ERROR", StatusOf(err)) }

// Object sends an event about anything that has its type set.
func (s *Stream) Object(kind string, obj runtime.Object) error {
	if s.p.Accept.Format == Protobuf {
		body, err := s.p.encode(obj)
		if err != nil {
			return err
		}
		return s.frame(kind, body)
	}
	body, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("encode %T: %w", obj, err)
	}
	return s.line(kind, body)
}

// line is one JSON event, ended by a newline.
func (s *Stream) line(kind string, object []byte) error {
	s.take()
	s.buf = append(s.buf, `{"type":"`...)
	s.buf = append(append(s.buf, kind...), `","object":`...)
	s.buf = append(append(s.buf, object...), '}', '\n')
	return s.written()
}

// frame is one protobuf event behind its length: a bare WatchEvent, whose object is in the envelope of every protobuf body.
func (s *Stream) frame(kind string, body []byte) error {
	start := s.frameHead(kind, len(body))
	s.buf = append(s.buf, body...)
	s.frameEnd(start)
	return s.written()
}

// frameHead begins a frame up to its body.
func (s *Stream) frameHead(kind string, bodySize int) (start int) {
	s.take()
	start = len(s.buf)
	s.buf = appendField(append(s.buf, 0, 0, 0, 0), tagEventType, kind)
	s.buf = appendHead(s.buf, tagEventObject, headSize(bodySize)+bodySize)
	s.buf = appendHead(s.buf, tagExtensionRaw, bodySize)
	return start
}

// frameEnd sets the length of the frame that begins at start.
func (s *Stream) frameEnd(start int) {
	binary.BigEndian.PutUint32(s.buf[start:], uint32(len(s.buf)-start-4))
}

// written sends what has gathered when it is much.
func (s *Stream) written() error {
	if len(s.buf) < streamBuffer {
		return nil
	}
	return s.send()
}

// take has a buffer for the next event.
func (s *Stream) take() {
	if s.buf == nil {
		s.pooled = streamBuffers.Get().(*[]byte)
		s.buf = *s.pooled
	}
}

func (s *Stream) send() error {
	s.unsent = true
	err := writeRecords(s.w, s.buf)
	if err == nil { // otherwise the connection may still be about to write it
		streamBuffers.Put(s.pooled)
	}
	s.buf, s.pooled = nil, nil
	return err
}

// Flush sends what was written, and says whether there was any. It reports no error: the client that went away is all that can
// be wrong.
func (s *Stream) Flush() bool {
	if len(s.buf) > 0 && s.send() != nil || !s.unsent {
		return false
	}
	s.unsent = false
	s.flush.Flush()
	return true
}
