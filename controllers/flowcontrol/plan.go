package flowcontrol

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/flowcontrol"
)

// action is one write.
type action struct {
	verb   string // create, update, delete, or status
	object client.Object
}

// state is what there is.
type state struct {
	schemas []*flowcontrolv1.FlowSchema
	levels  []*flowcontrolv1.PriorityLevelConfiguration
}

// plan lists the writes that bring the objects of the program up to date and the conditions of all schemas in line. A
// schema that is written is looked at again for its condition, after the write.
func plan(s state, now time.Time) []action {
	actions := keep(s.levels, flowcontrol.SuggestedLevels(), flowcontrol.MandatoryLevels(), refreshLevel)
	levels := map[string]bool{}
	for _, l := range s.levels {
		levels[l.Name] = true
	}
	for _, a := range actions {
		levels[a.object.GetName()] = a.verb != "delete"
	}
	schemas := keep(s.schemas, flowcontrol.SuggestedSchemas(), flowcontrol.MandatorySchemas(), refreshSchema)
	actions = append(actions, schemas...)
	for _, schema := range s.schemas {
		if slices.ContainsFunc(schemas, func(a action) bool { return a.object.GetName() == schema.Name }) {
			continue
		}
		if changed := withCondition(schema, levels[schema.Spec.PriorityLevelConfiguration.Name], now); changed != nil {
			actions = append(actions, action{"status", changed})
		}
	}
	return actions
}

// keep plans for one kind: what is missing is made, what is mandatory is as the program has it, what is suggested too
// unless its owner has taken it over, and what an earlier program brought and this one does not is removed.
func keep[T client.Object](have, suggested, mandatory []T, refresh func(have, want T) (T, bool)) []action {
	var actions []action
	named := func(list []T, name string) int {
		return slices.IndexFunc(list, func(o T) bool { return o.GetName() == name })
	}
	for i, want := range slices.Concat(suggested, mandatory) {
		at := named(have, want.GetName())
		if at < 0 {
			actions = append(actions, action{"create", want})
			continue
		}
		old := have[at]
		ours := i >= len(suggested) || updatesItself(old)
		next, changed := old.DeepCopyObject().(T), false
		if ours {
			next, changed = refresh(next, want)
		}
		if value, err := strconv.ParseBool(old.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey]); err != nil || value != ours {
			annotations := next.GetAnnotations()
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[flowcontrolv1.AutoUpdateAnnotationKey] = strconv.FormatBool(ours)
			next.SetAnnotations(annotations)
			changed = true
		}
		if changed {
			actions = append(actions, action{"update", next})
		}
	}
	for _, old := range have {
		ours, err := strconv.ParseBool(old.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey])
		if err == nil && ours && named(suggested, old.GetName()) < 0 && named(mandatory, old.GetName()) < 0 {
			actions = append(actions, action{"delete", old})
		}
	}
	return actions
}

// updatesItself says whether a suggested object follows the program: as its annotation says, or while nobody changed it.
func updatesItself(obj client.Object) bool {
	value, err := strconv.ParseBool(obj.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey])
	if err != nil {
		return obj.GetGeneration() == 1
	}
	return value
}

func refreshSchema(have, want *flowcontrolv1.FlowSchema) (*flowcontrolv1.FlowSchema, bool) {
	same := equality.Semantic.DeepEqual(have.Spec, want.Spec)
	have.Spec = want.Spec
	return have, !same
}

// refreshLevel leaves the shares of exempt to the cluster's owner.
func refreshLevel(have, want *flowcontrolv1.PriorityLevelConfiguration) (*flowcontrolv1.PriorityLevelConfiguration, bool) {
	if want.Name == flowcontrolv1.PriorityLevelConfigurationNameExempt && have.Spec.Exempt != nil {
		want.Spec.Exempt = have.Spec.Exempt
	}
	same := equality.Semantic.DeepEqual(have.Spec, want.Spec)
	have.Spec = want.Spec
	return have, !same
}

// withCondition is the schema with a condition that says whether its level is there, or nil if it says so already.
func withCondition(schema *flowcontrolv1.FlowSchema, found bool, now time.Time) *flowcontrolv1.FlowSchema {
	level := schema.Spec.PriorityLevelConfiguration.Name
	want := flowcontrolv1.FlowSchemaCondition{Type: flowcontrolv1.FlowSchemaConditionDangling, Status: flowcontrolv1.ConditionFalse, Reason: "Found",
		Message: fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q and it exists", level), LastTransitionTime: metav1.NewTime(now)}
	if !found {
		want.Status, want.Reason = flowcontrolv1.ConditionTrue, "NotFound"
		want.Message = fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q but there is no such object", level)
	}
	at := slices.IndexFunc(schema.Status.Conditions, func(c flowcontrolv1.FlowSchemaCondition) bool { return c.Type == want.Type })
	if at >= 0 {
		have := schema.Status.Conditions[at]
		if have.Status == want.Status && have.Reason == want.Reason && have.Message == want.Message {
			return nil
		}
	}
	next := schema.DeepCopy()
	if at < 0 {
		next.Status.Conditions = append(next.Status.Conditions, want)
	} else {
		next.Status.Conditions[at] = want
	}
	return next
}

func byName[T client.Object](a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) }
