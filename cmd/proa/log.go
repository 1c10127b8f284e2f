package main

import (
	"fmt"
	"io"
	"log/slog"

	"k8s.io/klog/v2"
)

// longestLogged is how much of one value is logged, in bytes. Libraries log errors that quote what a client sent.
const longestLogged = 4 << 10

// newLog makes the log of a process, which is also that of the libraries.
func newLog(to io.Writer, level slog.Level) *slog.Logger {
	log := slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Value.Kind() {
		case slog.KindString:
			a.Value = slog.StringValue(shortened(a.Value.String()))
		case slog.KindAny:
			switch value := a.Value.Any().(type) {
			case error:
				a.Value = slog.StringValue(shortened(value.Error()))
			case fmt.Stringer:
				a.Value = slog.StringValue(shortened(value.String()))
			}
		}
		return a
	}}))
	slog.SetDefault(log)
	klog.SetSlogLogger(log)
	return log
}

func shortened(text string) string {
	if len(text) <= longestLogged {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:longestLogged], len(text))
}
