package apps

import (
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"proa/kinds/meta"
)

// validateShare wants a number of pods that is not negative, or a percentage.
func validateShare(path *field.Path, share *intstr.IntOrString) field.ErrorList {
	if share == nil {
		return nil
	}
	if share.Type == intstr.Int {
		return meta.NotNegative(path, share.IntVal)
	}
	var errs field.ErrorList
	for _, message := range validation.IsValidPercent(share.StrVal) {
		errs = append(errs, field.Invalid(path, *share, message))
	}
	return errs
}

// atMostAll refuses more than 100%.
func atMostAll(path *field.Path, share *intstr.IntOrString) field.ErrorList {
	if value, percent := shareOf(share); percent && value > 100 {
		return field.ErrorList{field.Invalid(path, *share, "must not be greater than 100%")}
	}
	return nil
}

// shareOf reads a share's number; percent says that it counts hundredths. What cannot be read is 0.
func shareOf(share *intstr.IntOrString) (value int, percent bool) {
	if share == nil {
		return 0, false
	}
	if share.Type == intstr.Int {
		return share.IntValue(), false
	}
	digits, percent := strings.CutSuffix(share.StrVal, "%")
	value, err := strconv.Atoi(digits)
	if err != nil {
		return 0, percent
	}
	return value, percent
}

func isZero(share *intstr.IntOrString) bool {
	value, _ := shareOf(share)
	return value == 0
}

func validateDeploymentStrategy(strategy *appsv1.DeploymentStrategy, path *field.Path) field.ErrorList {
	at, rolling := path.Child("rollingUpdate"), strategy.RollingUpdate
	switch strategy.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if rolling != nil {
			return field.ErrorList{field.Forbidden(at, "may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case appsv1.RollingUpdateDeploymentStrategyType:
		if rolling == nil {
			return field.ErrorList{field.Required(at, "this should be defaulted and never be nil")}
		}
		errs := validateShare(at.Child("maxUnavailable"), rolling.MaxUnavailable)
		errs = append(errs, validateShare(at.Child("maxSurge"), rolling.MaxSurge)...)
		if isZero(rolling.MaxUnavailable) && isZero(rolling.MaxSurge) {
			errs = append(errs, field.Invalid(at.Child("maxUnavailable"), rolling.MaxUnavailable, "may not be 0 when `maxSurge` is 0"))
		}
		return append(errs, atMostAll(at.Child("maxUnavailable"), rolling.MaxUnavailable)...)
	}
	var parameters *rollout
	if rolling != nil {
		parameters = rolloutOf(rolling.MaxUnavailable, rolling.MaxSurge)
	}
	return field.ErrorList{field.NotSupported(path, shown(strategy.Type, parameters), []string{"Recreate", "RollingUpdate"})}
}

func validateDaemonSetStrategy(strategy *appsv1.DaemonSetUpdateStrategy, path *field.Path) field.ErrorList {
	at, rolling := path.Child("rollingUpdate"), strategy.RollingUpdate
	switch strategy.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
		return nil
	case appsv1.RollingUpdateDaemonSetStrategyType:
		if rolling == nil {
			return field.ErrorList{field.Required(at, "")}
		}
		unavailable, surge := at.Child("maxUnavailable"), at.Child("maxSurge")
		errs := validateShare(unavailable, rolling.MaxUnavailable)
		errs = append(errs, validateShare(surge, rolling.MaxSurge)...)
		errs = append(errs, atMostAll(unavailable, rolling.MaxUnavailable)...)
		errs = append(errs, atMostAll(surge, rolling.MaxSurge)...)
		switch noneUnavailable, noSurge := isZero(rolling.MaxUnavailable), isZero(rolling.MaxSurge); {
		case !noneUnavailable && !noSurge:
			errs = append(errs, field.Invalid(surge, rolling.MaxSurge, "may not be set when maxUnavailable is non-zero"))
		case noneUnavailable && noSurge:
			errs = append(errs, field.Required(unavailable, "cannot be 0 when maxSurge is 0"))
		}
		return errs
	}
	var parameters *rollout
	if rolling != nil {
		parameters = rolloutOf(rolling.MaxUnavailable, rolling.MaxSurge)
	}
	return field.ErrorList{field.NotSupported(path, shown(strategy.Type, parameters), []string{"RollingUpdate", "OnDelete"})}
}

// rollout is how upstream prints the parameters of a strategy in errors: with the names of its Go fields, and with zeros.
type rollout struct {
	MaxUnavailable, MaxSurge intstr.IntOrString
}

func rolloutOf(unavailable, surge *intstr.IntOrString) *rollout {
	return &rollout{ptr.Deref(unavailable, intstr.IntOrString{}), ptr.Deref(surge, intstr.IntOrString{})}
}

// shown is a strategy as upstream prints it.
func shown[T ~string, R any](kind T, rolling *R) any {
	return struct {
		Type          T
		RollingUpdate *R
	}{kind, rolling}
}
