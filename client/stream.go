package client

import "context"

// Selection is a part of a table, as a remote reader asks for it.
type Selection struct {
	Table     string
	Namespace string // "" means all
	Fields    string // a field selector, such as "spec.nodeName=alpha"; "" means all
}

// Message is what a Stream brings: a change, or, when Type is zero, only how far the stream has come.
type Message struct {
	Type     EventType
	Object   Object // nil when Type is zero; owned by whoever calls Next
	Revision int64  // every change of the selection up to here has been brought
	// Complete: all that was there when the stream began has been brought. It comes once, on streams that began at 0.
	Complete bool
}

// Stream yields the changes of a selection in order. One goroutine calls Next; Close may be called by another.
type Stream interface {
	// Next waits for a message. It fails with io.EOF when the server ended the stream in good order, with an API error when
	// it said why (Expired: begin at 0 again), and with another error when the connection broke.
	Next() (Message, error)
	Close()
}

// Streamer opens streams; package remote has the one over HTTPS.
type Streamer interface {
	// Follow begins right after a revision, or, when it is 0, with all there is as messages of type Created. The stream ends
	// when ctx does.
	Follow(ctx context.Context, sel Selection, after int64) (Stream, error)
}
