package certificates

import (
	"bytes"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var allUsages = sets.New(
	certificatesv1.UsageSigning, certificatesv1.UsageDigitalSignature, certificatesv1.UsageContentCommitment,
	certificatesv1.UsageKeyEncipherment, certificatesv1.UsageKeyAgreement, certificatesv1.UsageDataEncipherment,
	certificatesv1.UsageCertSign, certificatesv1.UsageCRLSign, certificatesv1.UsageEncipherOnly, certificatesv1.UsageDecipherOnly,
	certificatesv1.UsageAny, certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth, certificatesv1.UsageCodeSigning,
	certificatesv1.UsageEmailProtection, certificatesv1.UsageSMIME, certificatesv1.UsageIPsecEndSystem, certificatesv1.UsageIPsecTunnel,
	certificatesv1.UsageIPsecUser, certificatesv1.UsageTimestamping, certificatesv1.UsageOCSPSigning, certificatesv1.UsageMicrosoftSGC,
	certificatesv1.UsageNetscapeSGC,
)

// tolerance is what is let pass because it is stored already, as old versions let it in, or because the door is for it.
type tolerance struct {
	decisions, certificate bool // the door may set these

	bothDecisions, legacySigner, twoOfAType, noType, anyCertificate, anyUsage, usageTwice bool
}

// tolerate finds out what is wrong with the stored object already.
func tolerate(r, old *request) tolerance {
	return tolerance{
		bothDecisions:  len(indexes(old, certificatesv1.CertificateApproved)) > 0 && len(indexes(old, certificatesv1.CertificateDenied)) > 0,
		legacySigner:   old.Spec.SignerName == LegacyUnknown,
		twoOfAType:     len(validateTypes(nil, old.Status.Conditions)) > 0,
		noType:         len(indexes(old, "")) > 0,
		anyCertificate: bytes.Equal(r.Status.Certificate, old.Status.Certificate) || checkCertificate(old.Status.Certificate) != nil,
		anyUsage:       slices.ContainsFunc(old.Spec.Usages, func(u certificatesv1.KeyUsage) bool { return !allUsages.Has(u) }),
		usageTwice:     len(validateDistinct(nil, old.Spec.Usages)) > 0,
	}
}

func validateCreate(r *request) field.ErrorList { return validate(r, tolerance{}) }

func validateUpdate(r, old *request) field.ErrorList { return validateChange(r, old, tolerate(r, old)) }

func validateStatus(r, old *request) field.ErrorList {
	t := tolerate(r, old)
	t.certificate = true
	return validateChange(r, old, t)
}

func validateApproval(r, old *request) field.ErrorList {
	t := tolerate(r, old)
	t.decisions = true
	return validateChange(r, old, t)
}

func validate(r *request, t tolerance) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if err := checkRequest(r.Spec.Request); err != nil {
		errs = append(errs, field.Invalid(path.Child("request"), r.Spec.Request, err.Error()))
	}
	errs = append(errs, validateUsages(path.Child("usages"), r.Spec.Usages, t)...)
	if !t.legacySigner && r.Spec.SignerName == LegacyUnknown {
		errs = append(errs, field.Invalid(path.Child("signerName"), r.Spec.SignerName, "the legacy signerName is not allowed via this API version"))
	} else {
		errs = append(errs, ValidateSignerName(path.Child("signerName"), r.Spec.SignerName)...)
	}
	if seconds := r.Spec.ExpirationSeconds; seconds != nil && *seconds < 600 {
		errs = append(errs, field.Invalid(path.Child("expirationSeconds"), *seconds, "may not specify a duration less than 600 seconds (10 minutes)"))
	}
	errs = append(errs, validateConditions(field.NewPath("status", "conditions"), r.Status.Conditions, t)...)
	if !t.anyCertificate {
		if err := checkCertificate(r.Status.Certificate); err != nil {
			errs = append(errs, field.Invalid(field.NewPath("status", "certificate"), "<certificate data>", err.Error()))
		}
	}
	return errs
}

func validateUsages(path *field.Path, usages []certificatesv1.KeyUsage, t tolerance) field.ErrorList {
	var errs field.ErrorList
	if len(usages) == 0 {
		errs = append(errs, field.Required(path, ""))
	}
	for i, usage := range usages {
		if !t.anyUsage && !allUsages.Has(usage) {
			errs = append(errs, field.NotSupported(path.Index(i), usage, sets.List(allUsages)))
		}
	}
	if !t.usageTwice {
		errs = append(errs, validateDistinct(path, usages)...)
	}
	return errs
}

func validateDistinct(path *field.Path, usages []certificatesv1.KeyUsage) field.ErrorList {
	var errs field.ErrorList
	for i, usage := range usages {
		if slices.Contains(usages[:i], usage) {
			errs = append(errs, field.Duplicate(path.Index(i), usage))
		}
	}
	return errs
}

func validateConditions(path *field.Path, conditions []certificatesv1.CertificateSigningRequestCondition, t tolerance) field.ErrorList {
	var errs field.ErrorList
	decided := map[certificatesv1.RequestConditionType]bool{}
	for i, c := range conditions {
		at := path.Index(i)
		if c.Type == "" && !t.noType {
			errs = append(errs, field.Required(at.Child("type"), ""))
		}
		errs = append(errs, validateConditionStatus(at.Child("status"), &c)...)
		decided[c.Type] = true
		other := opposite(c.Type)
		if other != "" && decided[other] && !t.bothDecisions {
			errs = append(errs, field.Invalid(path, c.Type, "Approved and Denied conditions are mutually exclusive"))
		}
	}
	if !t.twoOfAType {
		errs = append(errs, validateTypes(path, conditions)...)
	}
	return errs
}

func opposite(decision certificatesv1.RequestConditionType) certificatesv1.RequestConditionType {
	switch decision {
	case certificatesv1.CertificateApproved:
		return certificatesv1.CertificateDenied
	case certificatesv1.CertificateDenied:
		return certificatesv1.CertificateApproved
	}
	return ""
}

// validateConditionStatus: the conditions that the system knows are true, or they are not there.
func validateConditionStatus(path *field.Path, c *certificatesv1.CertificateSigningRequestCondition) field.ErrorList {
	may := []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown}
	switch c.Type {
	case certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed:
		may = []corev1.ConditionStatus{corev1.ConditionTrue}
	}
	switch {
	case c.Status == "":
		return field.ErrorList{field.Required(path, "")}
	case !slices.Contains(may, c.Status):
		return field.ErrorList{field.NotSupported(path, c.Status, may)}
	}
	return nil
}

func validateTypes(path *field.Path, conditions []certificatesv1.CertificateSigningRequestCondition) field.ErrorList {
	var errs field.ErrorList
	seen := map[certificatesv1.RequestConditionType]bool{}
	for i, c := range conditions {
		if seen[c.Type] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("type"), c.Type))
		}
		seen[c.Type] = true
	}
	return errs
}

// validateChange: a decision stands once it is made, and so does a certificate.
func validateChange(r, old *request, t tolerance) field.ErrorList {
	errs := validate(r, t)
	path := field.NewPath("status", "conditions")
	for _, kind := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed} {
		if len(indexes(r, kind)) < len(indexes(old, kind)) {
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("updates may not remove a condition of type %q", kind)))
		}
	}
	if !t.decisions {
		errs = append(errs, validateSameDecision(path, r, old, certificatesv1.CertificateApproved)...)
		errs = append(errs, validateSameDecision(path, r, old, certificatesv1.CertificateDenied)...)
	}
	if !bytes.Equal(r.Status.Certificate, old.Status.Certificate) {
		switch path := field.NewPath("status", "certificate"); {
		case !t.certificate:
			errs = append(errs, field.Forbidden(path, "updates may not set certificate content"))
		case len(old.Status.Certificate) > 0:
			errs = append(errs, field.Forbidden(path, "updates may not modify existing certificate content"))
		}
	}
	return errs
}

func validateSameDecision(path *field.Path, r, old *request, decision certificatesv1.RequestConditionType) field.ErrorList {
	was, is := decisions(old, decision), decisions(r, decision)
	switch {
	case len(is) > len(was):
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("updates may not add a condition of type %q", decision))}
	case len(is) == len(was) && !equality.Semantic.DeepEqual(was, is):
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("updates may not modify a condition of type %q\n%v", decision, diff.Diff(was, is)))}
	}
	return nil
}

func decisions(r *request, kind certificatesv1.RequestConditionType) []certificatesv1.CertificateSigningRequestCondition {
	var found []certificatesv1.CertificateSigningRequestCondition
	for _, i := range indexes(r, kind) {
		found = append(found, r.Status.Conditions[i])
	}
	return found
}
