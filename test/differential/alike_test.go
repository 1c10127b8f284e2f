package main

import (
	"context"
	"fmt"
)

// recordAndReplay asks one server the same history twice.
func recordAndReplay(v *server, all []*target, found *report) func(context.Context, int) error {
	return func(ctx context.Context, i int) error {
		h, err := record(ctx, v, newGenerator(1, i, all), fmt.Sprintf("seed 1, history %d", i))
		if err != nil {
			return err
		}
		differences, err := replay(ctx, v, h)
		found.add(h, differences)
		return err
	}
}
