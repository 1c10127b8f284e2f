// Command peer is the benchmark's program in pods: "peer serve" takes traffic, "peer stream|dial ADDRESS" sends it for some
// seconds and leaves what it measured as the container's termination message.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"proa/test/bench/traffic"
)

const seconds = 4 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	measure := map[string]func(context.Context, string, time.Duration) (float64, error){"stream": traffic.Stream, "dial": traffic.Dial}
	switch {
	case len(args) == 1 && args[0] == "serve":
		return traffic.Serve()
	case len(args) == 2 && measure[args[0]] != nil:
		value, err := measure[args[0]](context.Background(), args[1], seconds)
		if err != nil {
			return err
		}
		return os.WriteFile("/dev/termination-log", fmt.Appendf(nil, "%g", value), 0o644)
	}
	return fmt.Errorf("usage: peer serve | peer stream|dial ADDRESS")
}
