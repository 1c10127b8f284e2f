package flowcontrol

import (
	"cmp"
	"fmt"
	"math"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

const (
	// MostEntropy is how many bits of a flow's hash the choice of its queues may use. With more of the 64, the last
	// card that is dealt would no longer be even.
	MostEntropy = 60

	mostQueues          = 10_000_000
	roundTripAnnotation = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares"
)

// Entropy is about how many bits it takes to deal a hand of queues.
func Entropy(queues, hand int) int { return int(math.Ceil(math.Log2(float64(queues)) * float64(hand))) }

// PriorityLevelConfiguration is the row of prioritylevelconfigurations.
func PriorityLevelConfiguration() *resource.Resource {
	return &resource.Resource{
		Group: flowcontrolv1.GroupName, Version: "v1", Name: "prioritylevelconfigurations", Singular: "prioritylevelconfiguration", Kind: "PriorityLevelConfiguration",
		New:     func() resource.Object { return &flowcontrolv1.PriorityLevelConfiguration{} },
		NewList: func() runtime.Object { return &flowcontrolv1.PriorityLevelConfigurationList{} },
		Default: resource.Do(defaultLevel),
		PrepareCreate: resource.Do(func(l *flowcontrolv1.PriorityLevelConfiguration) {
			l.Generation, l.Status = 1, flowcontrolv1.PriorityLevelConfigurationStatus{}
		}),
		PrepareUpdate: resource.Do2(func(l, old *flowcontrolv1.PriorityLevelConfiguration) {
			l.Status = *old.Status.DeepCopy()
			meta.CountGeneration(l, old, !equality.Semantic.DeepEqual(l.Spec, old.Spec))
		}),
		Validate:                 resource.Typed(validateLevel),
		ValidateUpdate:           resource.Typed2(func(l, _ *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList { return validateLevel(l) }),
		AllowUnconditionalUpdate: true,
		Reset:                    map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			Name: "status",
			PrepareUpdate: resource.Do2(func(l, old *flowcontrolv1.PriorityLevelConfiguration) {
				keepMetadata(l, old)
				l.Spec = *old.Spec.DeepCopy()
			}),
			ValidateUpdate: resource.Typed2(func(l, _ *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList {
				return validateConditions(levelConditions(l))
			}),
		},
		Columns: levelColumns(),
		Row:     resource.Typed(levelRow),
	}
}

func levelColumns() []resource.Column {
	queuing := flowcontrolv1.QueuingConfiguration{}.SwaggerDoc()
	return []resource.Column{
		meta.Name(),
		meta.Column("Type", flowcontrolv1.PriorityLevelConfigurationSpec{}.SwaggerDoc()["type"]),
		meta.Column("NominalConcurrencyShares", flowcontrolv1.LimitedPriorityLevelConfiguration{}.SwaggerDoc()["nominalConcurrencyShares"]),
		meta.Column("Queues", queuing["queues"]),
		meta.Column("HandSize", queuing["handSize"]),
		meta.Column("QueueLengthLimit", queuing["queueLengthLimit"]),
		meta.Age(),
	}
}

func levelRow(l *flowcontrolv1.PriorityLevelConfiguration) []any {
	const none = "<none>"
	row := []any{l.Name, string(l.Spec.Type), none, none, none, none, meta.Since(l.CreationTimestamp)}
	if limited := l.Spec.Limited; limited != nil {
		if shares := limited.NominalConcurrencyShares; shares != nil {
			row[2] = int64(*shares)
		}
		if q := limited.LimitResponse.Queuing; q != nil {
			row[3], row[4], row[5] = int64(q.Queues), int64(q.HandSize), int64(q.QueueLengthLimit)
		}
	}
	return row
}

func defaultLevel(l *flowcontrolv1.PriorityLevelConfiguration) {
	zero := func(n **int32, otherwise int32) {
		if *n == nil {
			*n = new(otherwise)
		}
	}
	if e := l.Spec.Exempt; e != nil {
		zero(&e.NominalConcurrencyShares, 0)
		zero(&e.LendablePercent, 0)
	}
	if limited := l.Spec.Limited; limited != nil {
		zero(&limited.NominalConcurrencyShares, 30)
		zero(&limited.LendablePercent, 0)
		if q := limited.LimitResponse.Queuing; q != nil {
			q.Queues, q.HandSize, q.QueueLengthLimit = cmp.Or(q.Queues, 64), cmp.Or(q.HandSize, 8), cmp.Or(q.QueueLengthLimit, 50)
		}
	}
}

func validateLevel(l *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList {
	var errs field.ErrorList
	if _, ok := l.Annotations[roundTripAnnotation]; ok {
		errs = append(errs, field.Forbidden(field.NewPath("metadata", "annotations"), fmt.Sprintf("annotation '%s' is forbidden", roundTripAnnotation)))
	}
	path := field.NewPath("spec")
	errs = append(errs, validateLevelSpec(path, l.Name, &l.Spec)...)
	errs = append(errs, validateFixed(path, l)...)
	return append(errs, validateConditions(levelConditions(l))...)
}

func validateLevelSpec(path *field.Path, name string, spec *flowcontrolv1.PriorityLevelConfigurationSpec) field.ErrorList {
	var errs field.ErrorList
	if (name == flowcontrolv1.PriorityLevelConfigurationNameExempt) != (spec.Type == flowcontrolv1.PriorityLevelEnablementExempt) {
		errs = append(errs, field.Invalid(path.Child("type"), spec.Type, "must be 'Exempt' if and only if `name` is 'exempt'"))
	}
	switch spec.Type {
	case flowcontrolv1.PriorityLevelEnablementExempt:
		if spec.Limited != nil {
			errs = append(errs, field.Forbidden(path.Child("limited"), "must be nil if the type is not Limited"))
		}
		if e := spec.Exempt; e != nil {
			errs = append(errs, validateShares(path.Child("exempt"), e.NominalConcurrencyShares)...)
			errs = append(errs, validateLendable(path.Child("exempt"), e.LendablePercent)...)
		}
	case flowcontrolv1.PriorityLevelEnablementLimited:
		if spec.Exempt != nil {
			errs = append(errs, field.Forbidden(path.Child("exempt"), "must be nil if the type is Limited"))
		}
		if spec.Limited == nil {
			return append(errs, field.Required(path.Child("limited"), "must not be empty when type is Limited"))
		}
		errs = append(errs, validateLimited(path.Child("limited"), spec.Limited)...)
	default:
		errs = append(errs, field.NotSupported(path.Child("type"), spec.Type, []flowcontrolv1.PriorityLevelEnablement{
			flowcontrolv1.PriorityLevelEnablementExempt, flowcontrolv1.PriorityLevelEnablementLimited}))
	}
	return errs
}

func validateShares(path *field.Path, shares *int32) field.ErrorList {
	if shares == nil || *shares >= 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("nominalConcurrencyShares"), *shares, "must be a non-negative integer")}
}

func validateLendable(path *field.Path, percent *int32) field.ErrorList {
	if percent == nil || *percent >= 0 && *percent <= 100 {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("lendablePercent"), *percent, "must be between 0 and 100, inclusive")}
}

func validateLimited(path *field.Path, l *flowcontrolv1.LimitedPriorityLevelConfiguration) field.ErrorList {
	errs := validateShares(path, l.NominalConcurrencyShares)
	errs = append(errs, validateResponse(path.Child("limitResponse"), &l.LimitResponse)...)
	errs = append(errs, validateLendable(path, l.LendablePercent)...)
	if b := l.BorrowingLimitPercent; b != nil && *b < 0 {
		errs = append(errs, field.Invalid(path.Child("borrowingLimitPercent"), *b, "if specified, must be a non-negative integer"))
	}
	return errs
}

func validateResponse(path *field.Path, r *flowcontrolv1.LimitResponse) field.ErrorList {
	at := path.Child("queuing")
	switch r.Type {
	case flowcontrolv1.LimitResponseTypeReject:
		if r.Queuing != nil {
			return field.ErrorList{field.Forbidden(at, "must be nil if limited.limitResponse.type is not Limited")}
		}
	case flowcontrolv1.LimitResponseTypeQueue:
		if r.Queuing == nil {
			return field.ErrorList{field.Required(at, "must not be empty if limited.limitResponse.type is Limited")}
		}
		return validateQueuing(at, r.Queuing)
	default:
		return field.ErrorList{field.NotSupported(path.Child("type"), r.Type, []flowcontrolv1.LimitResponseType{
			flowcontrolv1.LimitResponseTypeQueue, flowcontrolv1.LimitResponseTypeReject})}
	}
	return nil
}

func validateQueuing(path *field.Path, q *flowcontrolv1.QueuingConfiguration) field.ErrorList {
	var errs field.ErrorList
	if q.QueueLengthLimit <= 0 {
		errs = append(errs, field.Invalid(path.Child("queueLengthLimit"), q.QueueLengthLimit, "must be positive"))
	}
	if q.Queues <= 0 {
		errs = append(errs, field.Invalid(path.Child("queues"), q.Queues, "must be positive"))
	} else if q.Queues > mostQueues {
		errs = append(errs, field.Invalid(path.Child("queues"), q.Queues, fmt.Sprintf("must not be greater than %d", mostQueues)))
	}
	wrong := ""
	if q.HandSize <= 0 {
		wrong = "must be positive"
	} else if q.HandSize > q.Queues {
		wrong = fmt.Sprintf("should not be greater than queues (%d)", q.Queues)
	} else if Entropy(int(q.Queues), int(q.HandSize)) > MostEntropy {
		wrong = fmt.Sprintf("required entropy bits of deckSize %d and handSize %d should not be greater than %d", q.Queues, q.HandSize, MostEntropy)
	}
	if wrong != "" {
		errs = append(errs, field.Invalid(path.Child("handSize"), q.HandSize, wrong))
	}
	return errs
}

// validateFixed keeps the levels without which no request could be served as they are, except for the shares of exempt.
func validateFixed(path *field.Path, l *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList {
	for _, fixed := range MandatoryLevels() {
		if fixed.Name != l.Name {
			continue
		}
		want, rule := fixed.Spec, "spec of '%s' must equal the fixed value"
		if l.Name == flowcontrolv1.PriorityLevelConfigurationNameExempt {
			want.Exempt, rule = l.Spec.Exempt, "spec of '%s' except the 'spec.exempt' field must equal the fixed value"
		}
		if !equality.Semantic.DeepEqual(want, l.Spec) {
			return field.ErrorList{field.Invalid(path, meta.Internal(l.Spec), fmt.Sprintf(rule, l.Name))}
		}
	}
	return nil
}
