package main

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// completer gives fleets without a flag a white one.
type completer struct{}

func (completer) Default(_ context.Context, f *Fleet) error {
	if f.Spec.Flag == "" {
		f.Spec.Flag = "white"
	}
	return nil
}

// checker refuses flags that no harbor lets in, and another flag for a fleet that has one.
type checker struct{}

func (checker) ValidateCreate(_ context.Context, f *Fleet) (admission.Warnings, error) {
	if f.Spec.Flag == "black" {
		return nil, errors.New("no harbor lets a black flag in")
	}
	if f.Spec.Ships > 10 {
		return admission.Warnings{fmt.Sprintf("%d ships are more than a harbor holds", f.Spec.Ships)}, nil
	}
	return nil, nil
}

func (c checker) ValidateUpdate(ctx context.Context, before, after *Fleet) (admission.Warnings, error) {
	if before.Spec.Flag != after.Spec.Flag {
		return nil, fmt.Errorf("the flag is %s for life", before.Spec.Flag)
	}
	return c.ValidateCreate(ctx, after)
}

func (checker) ValidateDelete(context.Context, *Fleet) (admission.Warnings, error) { return nil, nil }
