package logfile

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// log is the file that is being read, and the events that tell of its growth.
type log struct {
	path    string
	file    *os.File
	watch   *watch
	pending []byte // of a line whose end has not been written yet
	name    string // of the open file once it has been rotated and found, without ".gz"
	fresh   bool   // the file was at path when its watch began: its close will be seen
}

// appearance is how long a log may be away: for the moment between its rename and its writer's return.
const appearance = 2 * time.Second

// open opens the current file, and watches it from before the first byte is read.
func open(ctx context.Context, path string) (*log, error) {
	w, err := newWatch(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	l := &log{path: path, watch: w}
	ctx, cancel := context.WithTimeout(ctx, appearance)
	defer cancel()
	for {
		err := l.begin(l.path)
		if err == nil {
			l.stepBack()
			return l, nil
		}
		older, _ := filepath.Glob(path + ".*")
		if !errors.Is(err, fs.ErrNotExist) || len(older) == 0 || w.wait(ctx, appearance) != nil {
			w.close()
			return nil, err
		}
	}
}

// stepBack begins the file before an empty one: its writer may not have left it yet.
func (l *log) stepBack() {
	info, err := l.file.Stat()
	if err != nil || info.Size() > 0 {
		return
	}
	older, err := l.older()
	if err != nil || len(older) == 0 || strings.HasSuffix(older[len(older)-1], ".gz") {
		return
	}
	// If it cannot be opened any more, it is compressed: then it is complete.
	_ = l.begin(older[len(older)-1])
}

// begin goes on with another file, from its start.
func (l *log) begin(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return l.use(file)
}

func (l *log) use(file *os.File) error {
	if err := l.watch.follow(file); err != nil {
		return errors.Join(err, file.Close())
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.pending, l.name = file, nil, ""
	l.fresh = !l.rotated()
	return nil
}

func (l *log) close() {
	l.file.Close()
	l.watch.close()
}

// rotated says whether path is another file by now, or none.
func (l *log) rotated() bool {
	now, err := os.Stat(l.path)
	if err != nil {
		return true
	}
	own, err := l.file.Stat()
	return err == nil && !os.SameFile(own, now)
}

// older lists the rotated files, the oldest first. A file that became one just now may be the one that is open.
func (l *log) older() ([]string, error) {
	names, err := filepath.Glob(l.path + ".*")
	if err != nil {
		return nil, err
	}
	own, err := l.file.Stat()
	if err != nil {
		return nil, err
	}
	slices.Sort(names) // they end in a time
	for i, name := range names {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, own) {
			names = names[:i] // what follows the open file is not older
			break
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || os.SameFile(info, own) || strings.HasSuffix(name, ".tmp")
	}), nil
}

// start prints what comes before the current file's part and places the current file where its part begins.
func (l *log) start(older []string, tail *int64, p *printer) error {
	var skip int64 // lines of all files that are left out
	if tail != nil {
		lines, own, err := l.count(older)
		if err != nil {
			return err
		}
		total := own
		for _, n := range lines {
			total += n
		}
		skip = max(0, total-*tail)
		for len(older) > 0 && skip >= lines[0] {
			skip, older, lines = skip-lines[0], older[1:], lines[1:]
		}
	}
	for _, name := range older {
		content, err := readOlder(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return err
		}
		for line := range bytes.Lines(content) {
			if skip > 0 {
				skip--
			} else if err := p.print(line); err != nil {
				return err
			}
		}
	}
	return l.skip(skip)
}

// count counts lines, of the older files and of the current one.
func (l *log) count(older []string) (lines []int64, own int64, err error) {
	for _, name := range older {
		content, err := readOlder(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, err
		}
		lines = append(lines, int64(bytes.Count(content, []byte{'\n'})))
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.file.Read(buffer)
		own += int64(bytes.Count(buffer[:n], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
	}
	_, err = l.file.Seek(0, io.SeekStart)
	return lines, own, err
}

// readOlder reads a rotated file whole: rotation bounds its size.
func readOlder(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(name, ".gz") {
		return io.ReadAll(f)
	}
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

// skip places the file after a number of lines.
func (l *log) skip(lines int64) error {
	buffer := make([]byte, 64<<10)
	var offset int64
	for lines > 0 {
		n, err := l.file.Read(buffer)
		if n == 0 {
			return err
		}
		rest := buffer[:n]
		for lines > 0 {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			rest = rest[end+1:]
			lines--
		}
		offset += int64(n)
		if lines == 0 {
			offset -= int64(len(rest))
		}
	}
	_, err := l.file.Seek(offset, io.SeekStart)
	return err
}

// drain prints all whole lines that are there.
func (l *log) drain(p *printer) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.file.Read(buffer)
		l.pending = append(l.pending, buffer[:n]...)
		for {
			end := bytes.IndexByte(l.pending, '\n')
			if end < 0 {
				break
			}
			if err := p.print(l.pending[:end+1]); err != nil {
				return err
			}
			l.pending = l.pending[end+1:]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
