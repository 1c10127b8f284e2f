package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"proa/test/bench/wire"
)

// Where things lie in an answer in protobuf: four bytes of magic, then runtime.Unknown, whose raw field holds the object; a
// list's items are field 2 of it.
const (
	magic     = "k8s\x00"
	rawField  = 2
	itemField = 2
)

// itemCount counts the items of an encoded list as its pieces come, skipping over what they hold.
type itemCount struct {
	items   int
	skip    int    // bytes that are passed over
	begun   bool   // behind the magic
	inList  bool   // inside the raw field
	partial []byte // the tag and length that the last piece left unfinished
}

// add takes the next piece.
func (c *itemCount) add(piece []byte) error {
	for {
		n := min(c.skip, len(piece))
		piece, c.skip = piece[n:], c.skip-n
		if len(piece) == 0 {
			return nil
		}
		if len(c.partial) > 0 {
			piece = append(c.partial, piece...)
			c.partial = nil
		}
		n, err := c.head(piece)
		if err != nil {
			return err
		}
		if n == 0 {
			c.partial = bytes.Clone(piece)
			return nil
		}
		piece = piece[n:]
	}
}

// head reads what stands before the next bytes to skip, and returns its length: zero if the piece ends within.
func (c *itemCount) head(piece []byte) (int, error) {
	if !c.begun {
		if len(piece) < len(magic) {
			return 0, nil
		}
		if string(piece[:len(magic)]) != magic {
			return 0, errors.New("the answer is not in protobuf")
		}
		c.begun = true
		return len(magic), nil
	}
	number, kind, n := protowire.ConsumeTag(piece)
	if n < 0 {
		return unfinished(n)
	}
	if kind != protowire.BytesType {
		m := protowire.ConsumeFieldValue(number, kind, piece[n:])
		if m < 0 {
			return unfinished(m)
		}
		return n + m, nil
	}
	size, m := protowire.ConsumeVarint(piece[n:])
	if m < 0 {
		return unfinished(m)
	}
	if !c.inList && number == rawField {
		c.inList = true // what follows are the list's own fields
		return n + m, nil
	}
	if c.inList && number == itemField {
		c.items++
	}
	c.skip = int(size)
	return n + m, nil
}

func unfinished(n int) (int, error) {
	if err := protowire.ParseError(n); !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("read protobuf: %w", err)
	}
	return 0, nil
}

// frames calls f with each event of a watch in protobuf as it came, and with the time at which its last byte had, until f is done
// with it: each has its length before it, as four bytes. An event is good until f returns. What frames gives back is the last event
// before the watch ended, nil if there was none.
func frames(stream *wire.Conn, f func(event []byte, at time.Time) (done bool)) (last []byte, err error) {
	var rest []byte // of an event that goes on in the next piece
	for {
		piece, err := stream.Piece()
		if err != nil {
			return last, fmt.Errorf("the watch ended: %w", err)
		}
		at := time.Now()
		if len(rest) > 0 {
			rest = append(rest, piece...)
			piece = rest
		}
		var event []byte
		for len(piece) >= 4 {
			end := 4 + int(binary.BigEndian.Uint32(piece))
			if len(piece) < end {
				break
			}
			event, piece = piece[4:end], piece[end:]
			if f(event, at) {
				return nil, nil
			}
		}
		if event != nil {
			last = append(last[:0], event...)
		}
		rest = append(rest[:0], piece...)
	}
}

// numberAfter is the number that follows the prefix where it first stands in an encoded event.
func numberAfter(event []byte, prefix string) (int, bool) {
	at := bytes.Index(event, []byte(prefix))
	if at < 0 {
		return 0, false
	}
	digits := event[at+len(prefix):]
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(string(digits[:end]))
	return n, err == nil
}
