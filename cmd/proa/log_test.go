package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

// What a client sent must not fill the log, whoever writes it there.
func TestLogIsBounded(t *testing.T) {
	before := slog.Default()
	defer func() {
		slog.SetDefault(before)
		klog.ClearLogger()
	}()
	var to bytes.Buffer
	log := newLog(&to, slog.LevelInfo)
	long := strings.Repeat("x", 1<<20)
	for name, write := range map[string]func(){
		"a value":     func() { log.Info("a", "value", long) },
		"an error":    func() { log.Info("a", "error", errors.New(long)) },
		"a message":   func() { slog.Info(long) },
		"a library's": func() { klog.ErrorS(errors.New(long), "a", "object", long) },
		"an old line": func() { klog.Errorf("a %s", long) },
	} {
		to.Reset()
		write()
		if n := to.Len(); n < longestLogged || n > 3*longestLogged || !strings.Contains(to.String(), "(10485") {
			t.Errorf("%s made %d bytes: %.200s", name, n, to.String())
		}
	}
	to.Reset()
	if log.Info("short", "level", slog.LevelInfo, "error", errors.New("no")); !strings.Contains(to.String(), "level=INFO msg=short level=INFO error=no") {
		t.Errorf("got %s", to.String())
	}
}
