package pause_test

import (
	"context"
	"testing"
	"time"

	"proa/internal/pause"
)

func TestFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if !pause.For(ctx, 0) {
		t.Error("a pause that nobody ended did")
	}
	cancel()
	if pause.For(ctx, time.Hour) {
		t.Error("the pause went on when nobody wanted it to")
	}
}
