package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
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

// largestEvent is more than any event of the load.
const largestEvent = 64 << 10

// frames calls f with each event of a watch in protobuf as it came, until f is done with it: each has its length before it,
// as four bytes. An event is good until the next.
func frames(stream io.Reader, f func(event []byte) (done bool, err error)) error {
	in := bufio.NewReaderSize(stream, largestEvent)
	for {
		head, err := in.Peek(4)
		if err != nil {
			return fmt.Errorf("the watch ended: %w", err)
		}
		size := 4 + int(binary.BigEndian.Uint32(head))
		frame, err := in.Peek(size)
		if err != nil {
			return fmt.Errorf("the watch ended: %w", err)
		}
		if done, err := f(frame[4:]); done || err != nil {
			return err
		}
		if _, err := in.Discard(size); err != nil {
			return fmt.Errorf("the watch ended: %w", err)
		}
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
