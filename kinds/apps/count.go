package apps

import (
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func notNegative[T int32 | int64](path *field.Path, value T) field.ErrorList {
	return validation.ValidateNonnegativeField(int64(value), path)
}

// count is one number of a status.
type count struct {
	name  string
	value int64
}

// notNegatives refuses each count below zero.
func notNegatives(path *field.Path, counts ...count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		errs = append(errs, notNegative(path.Child(c.name), c.value)...)
	}
	return errs
}

// atMost refuses each count above the limit, which detail names.
func atMost(path *field.Path, limit int32, detail string, counts ...count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		if c.value > int64(limit) {
			errs = append(errs, field.Invalid(path.Child(c.name), c.value, detail))
		}
	}
	return errs
}

// optional is a count that a status may lack.
func optional(name string, value *int32) count {
	if value == nil {
		return count{name, 0}
	}
	return count{name, int64(*value)}
}

// notDecremented: collisions are counted up, so that a new hash never meets an old one.
func notDecremented(path *field.Path, value, old *int32) field.ErrorList {
	now, before := optional("", value), optional("", old)
	if old != nil && now.value < before.value || old != nil && value == nil {
		return field.ErrorList{field.Invalid(path, int32(now.value), "cannot be decremented")}
	}
	return nil
}
