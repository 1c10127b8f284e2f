package imagegc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"proa/node/cri"
	"proa/node/imagegc"
)

// TestScripts plays testdata. Commands:
//
//	policy HIGH LOW MINAGE        begins anew
//	image ID SIZE [pinned|local]  the runtime has one more; its name is ID:1
//	uses container|pod ID...      what containers were made of, and what pods ask for
//	disk AVAILABLE CAPACITY
//	broken ID                     removing it fails
//	pass TIME
//	collect, unused               what is removed
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *node
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "policy" {
				s = &node{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
				s.collector = imagegc.New(imagegc.Config{
					Policy: imagegc.Policy{High: number(d, 0), Low: number(d, 1), MinAge: duration(d, 2)}, Runtime: s,
					Named: func() map[string]bool { return set(s.named) },
					Disk:  func(context.Context) (int64, int64, error) { return s.available, s.capacity, nil },
					Event: func(kind, reason, message string) { fmt.Fprintf(&s.out, "%s %s: %s\n", kind, reason, message) },
					Log:   slog.New(slog.DiscardHandler), Now: func() time.Time { return s.now },
				})
				return ""
			}
			s.out.Reset()
			s.run(t, d)
			return s.out.String()
		})
	})
}

// node is a runtime with images.
type node struct {
	out                 strings.Builder
	now                 time.Time
	collector           *imagegc.Collector
	images              []cri.ImageNames
	used, named, broken []string
	available, capacity int64
}

func (s *node) run(t *testing.T, d *datadriven.TestData) {
	t.Helper()
	var words []string
	for _, a := range d.CmdArgs {
		words = append(words, a.Key)
	}
	var err error
	switch d.Cmd {
	case "image":
		s.images = append(s.images, cri.ImageNames{ID: words[0], Names: []string{words[0] + ":1"}, Size: int64(number(d, 1)),
			Pinned: slices.Contains(words, "pinned"), Pulled: !slices.Contains(words, "local")})
	case "uses":
		if words[0] == "pod" {
			s.named = nil
			for _, id := range words[1:] {
				s.named = append(s.named, id+":1")
			}
			return
		}
		s.used = words[1:]
	case "disk":
		s.available, s.capacity = int64(number(d, 0)), int64(number(d, 1))
	case "broken":
		s.broken = words
	case "pass":
		s.now = s.now.Add(duration(d, 0))
	case "collect":
		err = s.collector.Collect(t.Context())
	case "unused":
		err = s.collector.RemoveUnused(t.Context())
	default:
		d.Fatalf(t, "no command %s", d.Cmd)
	}
	if err != nil {
		fmt.Fprintln(&s.out, "error:", err)
	}
}

func number(d *datadriven.TestData, i int) int {
	n, _ := strconv.Atoi(d.CmdArgs[i].Key)
	return n
}

func duration(d *datadriven.TestData, i int) time.Duration {
	took, _ := time.ParseDuration(d.CmdArgs[i].Key)
	return took
}

func set(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

func (s *node) ListImages(context.Context) ([]cri.ImageNames, error) { return s.images, nil }
func (s *node) ImagesInUse(context.Context) (map[string]bool, error) { return set(s.used), nil }
func (s *node) RemoveImage(_ context.Context, id string) error {
	if slices.Contains(s.broken, id) {
		return errors.New("read-only file system")
	}
	fmt.Fprintln(&s.out, "remove", id)
	for _, image := range s.images {
		if image.ID == id {
			s.available += image.Size
		}
	}
	s.images = slices.DeleteFunc(s.images, func(i cri.ImageNames) bool { return i.ID == id })
	return nil
}
