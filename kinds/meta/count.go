package meta

import (
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// NotNegative refuses a number below zero.
func NotNegative[T int32 | int64](path *field.Path, value T) field.ErrorList {
	return validation.ValidateNonnegativeField(int64(value), path)
}

// Count is one number of a status.
type Count struct {
	Name  string
	Value int64
}

// CountOf names a number of a status.
func CountOf[T int32 | int64](name string, value T) Count { return Count{name, int64(value)} }

// NotNegatives refuses each count below zero.
func NotNegatives(path *field.Path, counts ...Count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		errs = append(errs, NotNegative(path.Child(c.Name), c.Value)...)
	}
	return errs
}

// AtMost refuses each count above the limit, which detail names.
func AtMost(path *field.Path, limit int32, detail string, counts ...Count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		if c.Value > int64(limit) {
			errs = append(errs, field.Invalid(path.Child(c.Name), c.Value, detail))
		}
	}
	return errs
}

// Optional is a count that a status may lack; then it is 0.
func Optional(name string, value *int32) Count {
	if value == nil {
		return Count{name, 0}
	}
	return Count{name, int64(*value)}
}

// NotDecremented: collisions are counted up, so that a new hash never meets an old one.
func NotDecremented(path *field.Path, value, old *int32) field.ErrorList {
	now, before := Optional("", value), Optional("", old)
	if old != nil && now.Value < before.Value || old != nil && value == nil {
		return field.ErrorList{field.Invalid(path, int32(now.Value), "cannot be decremented")}
	}
	return nil
}
