package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

// countItems is the number of items of an encoded list, which are skipped over.
func countItems(answer []byte) (int, error) {
	body, ok := bytes.CutPrefix(answer, []byte(magic))
	if !ok {
		return 0, errors.New("the answer is not in protobuf")
	}
	var list []byte
	if err := fields(body, func(number protowire.Number, value []byte) {
		if number == rawField {
			list = value
		}
	}); err != nil {
		return 0, err
	}
	items := 0
	err := fields(list, func(number protowire.Number, _ []byte) {
		if number == itemField {
			items++
		}
	})
	return items, err
}

// fields calls f with each field of a message that has a length.
func fields(message []byte, f func(protowire.Number, []byte)) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("read protobuf: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return fmt.Errorf("read protobuf: %w", protowire.ParseError(n))
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return fmt.Errorf("read protobuf: %w", protowire.ParseError(n))
		}
		f(number, value)
		message = message[n:]
	}
	return nil
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
