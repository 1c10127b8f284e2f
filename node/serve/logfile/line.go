package logfile

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// record is one line of the file:
//
//	2016-10-06T00:17:09.669794202Z stdout F the whole line
//	2016-10-06T00:17:09.669794203Z stderr P the beginning of a long line, without
type record struct {
	at      time.Time
	stderr  bool
	partial bool
	content []byte // with the line's end, unless partial
}

func parse(line []byte) (record, error) {
	fields := bytes.SplitN(line, []byte{' '}, 4)
	if len(fields) != 4 {
		return record{}, fmt.Errorf("not a line of a container's log: %q", line)
	}
	at, err := time.Parse(time.RFC3339Nano, string(fields[0]))
	if err != nil {
		return record{}, fmt.Errorf("not a line of a container's log: %w", err)
	}
	r := record{at: at, content: fields[3]}
	switch string(fields[1]) {
	case "stdout":
	case "stderr":
		r.stderr = true
	default:
		return record{}, fmt.Errorf("not a line of a container's log: unknown stream %q", fields[1])
	}
	tag, _, _ := bytes.Cut(fields[2], []byte{':'})
	if r.partial = string(tag) == "P"; r.partial {
		r.content = bytes.TrimSuffix(r.content, []byte{'\n'})
	}
	return r, nil
}

// printer writes the records that are asked for.
type printer struct {
	options Options
	to      Destination
	left    int64 // bytes; below zero means no limit
	inside  bool  // the last record was partial: its line goes on
}

// timeFormat has all nine digits, so that columns line up.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// print writes one line of the file. A line that cannot be read is left out: the runtime may have died while it wrote.
func (p *printer) print(line []byte) error {
	r, err := parse(line)
	if err != nil || r.at.Before(p.options.Since) {
		return nil
	}
	w := p.to.Stdout
	if r.stderr {
		w = p.to.Stderr
	}
	if w == nil {
		return nil
	}
	text := r.content
	if p.options.Timestamps && !p.inside {
		text = append([]byte(r.at.Format(timeFormat)+" "), text...)
	}
	p.inside = r.partial
	return p.write(w, text)
}

func (p *printer) write(w io.Writer, text []byte) error {
	if p.left >= 0 && int64(len(text)) >= p.left {
		if _, err := w.Write(text[:p.left]); err != nil {
			return err
		}
		return errLimit
	}
	if p.left >= 0 {
		p.left -= int64(len(text))
	}
	_, err := w.Write(text)
	return err
}
