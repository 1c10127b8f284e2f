package certificates

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LegacyUnknown is the signer of requests that named none when they need not. No new request may name it.
const LegacyUnknown = "kubernetes.io/legacy-unknown"

// ValidateSignerName wants a domain and a path: "example.com/signer".
func ValidateSignerName(path *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	domain, rest, _ := strings.Cut(name, "/")
	if strings.Count(name, "/") != 1 {
		return field.ErrorList{field.Invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")}
	}
	var errs field.ErrorList
	if len(domain) > validation.DNS1123SubdomainMaxLength {
		errs = append(errs, field.TooLong(path, "", validation.DNS1123SubdomainMaxLength))
	}
	errs = append(errs, validateLabels(path, domain, validation.IsDNS1123Label)...)
	if !strings.Contains(domain, ".") {
		errs = append(errs, field.Invalid(path, domain, "should be a domain with at least two segments separated by dots"))
	}
	errs = append(errs, validateLabels(path, rest, validation.IsDNS1123Subdomain)...)
	// What follows the slash has room for a namespace, a dot and an object's name.
	const longest = validation.DNS1123SubdomainMaxLength + 1 + validation.DNS1123SubdomainMaxLength + validation.DNS1123LabelMaxLength + 1
	if len(name) > longest {
		errs = append(errs, field.TooLong(path, "", longest))
	}
	return errs
}

// validateLabels tells what is wrong with the first part that is wrong.
func validateLabels(path *field.Path, text string, check func(string) []string) field.ErrorList {
	for _, label := range strings.Split(text, ".") {
		var errs field.ErrorList
		for _, message := range check(label) {
			errs = append(errs, field.Invalid(path, text, fmt.Sprintf("validating label %q: %s", label, message)))
		}
		if len(errs) > 0 {
			return errs
		}
	}
	return nil
}

// CheckForSigner says why a signer of the system does not take a request. Only requests for the four signers of
// kubernetes.io may be given to it.
func CheckForSigner(signer string, parsed *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch signer {
	case certificatesv1.KubeAPIServerClientSignerName:
		return checkClientUsages(usages)
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return CheckNodeClient(parsed, usages)
	case certificatesv1.KubeletServingSignerName:
		return checkNodeServing(parsed, usages)
	}
	return nil
}

func checkClientUsages(usages []certificatesv1.KeyUsage) error {
	for _, usage := range usages {
		switch usage {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageClientAuth:
		default:
			return fmt.Errorf("invalid usage for client certificate: %s", usage)
		}
	}
	if !slices.Contains(usages, certificatesv1.UsageClientAuth) {
		return fmt.Errorf("missing required usage for client certificate: %s", certificatesv1.UsageClientAuth)
	}
	return nil
}

// CheckNodeClient says why a request is not one for the certificate with which a node calls the API.
func CheckNodeClient(parsed *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !ofNodes(parsed):
		return errors.New("subject organization is not system:nodes")
	case len(parsed.DNSNames) > 0:
		return errors.New("DNS subjectAltNames are not allowed")
	case len(parsed.EmailAddresses) > 0:
		return errors.New("Email subjectAltNames are not allowed")
	case len(parsed.IPAddresses) > 0:
		return errors.New("IP subjectAltNames are not allowed")
	case len(parsed.URIs) > 0:
		return errors.New("URI subjectAltNames are not allowed")
	case !strings.HasPrefix(parsed.Subject.CommonName, "system:node:"):
		return errors.New("subject common name does not begin with system:node:")
	}
	return checkUsages(usages, certificatesv1.UsageClientAuth)
}

func checkNodeServing(parsed *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !ofNodes(parsed):
		return errors.New("subject organization is not system:nodes")
	case len(parsed.DNSNames) == 0 && len(parsed.IPAddresses) == 0:
		return errors.New("DNS or IP subjectAltName is required")
	case len(parsed.EmailAddresses) > 0:
		return errors.New("Email subjectAltNames are not allowed")
	case len(parsed.URIs) > 0:
		return errors.New("URI subjectAltNames are not allowed")
	}
	if err := checkUsages(usages, certificatesv1.UsageServerAuth); err != nil {
		return err
	}
	if !strings.HasPrefix(parsed.Subject.CommonName, "system:node:") {
		return errors.New("subject common name does not begin with system:node:")
	}
	return nil
}

func ofNodes(parsed *x509.CertificateRequest) bool {
	return slices.Equal(parsed.Subject.Organization, []string{"system:nodes"})
}

// checkUsages wants exactly the purpose and a signature, and lets keys that can encipher do so.
func checkUsages(usages []certificatesv1.KeyUsage, purpose certificatesv1.KeyUsage) error {
	full := []certificatesv1.KeyUsage{purpose, certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment}
	slices.Sort(full)
	distinct := slices.Compact(slices.Sorted(slices.Values(usages)))
	short := slices.DeleteFunc(slices.Clone(full), func(u certificatesv1.KeyUsage) bool { return u == certificatesv1.UsageKeyEncipherment })
	if slices.Equal(distinct, full) || slices.Equal(distinct, short) {
		return nil
	}
	return fmt.Errorf("usages did not match %v", full)
}
