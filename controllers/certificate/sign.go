package certificate

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/certificates"
	"proa/reconcile"
)

// Lifetimes, as upstream's defaults.
const (
	longest   = 365 * 24 * time.Hour // of a certificate, and of one that asks for nothing
	shortest  = 10 * time.Minute
	clockSkew = 5 * time.Minute // certificates are valid a little before they are made
	short     = 8 * time.Hour   // a life below this is not shortened by the skew
)

// Sign makes a certificate of the cluster's authority, in PEM: all that template says, for the key public. It gives it a
// serial number, and an end that is not after the authority's own.
type Sign func(template *x509.Certificate, public any) ([]byte, error)

// NewSigner makes the controller that signs what was approved for the signers of the system.
func NewSigner(sign Sign) reconcile.Controller {
	return about("csrsigning", "status", func(ctx context.Context, req reconcile.Request, r *request) error {
		return signOne(ctx, req, r, sign)
	})
}

func signOne(ctx context.Context, req reconcile.Request, r *request, sign Sign) error {
	if !waitsForSigner(r) {
		return nil
	}
	parsed, err := certificates.ParseRequest(r.Spec.Request)
	if err != nil {
		return fmt.Errorf("sign certificate request %s: %w", r.Name, err)
	}
	done := r.DeepCopy()
	if err := certificates.CheckForSigner(r.Spec.SignerName, parsed, r.Spec.Usages); err != nil {
		done.Status.Conditions = append(done.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue, Reason: "SignerValidationFailure", Message: err.Error(),
			LastUpdateTime: metav1.NewTime(req.Now)})
	} else if done.Status.Certificate, err = sign(template(parsed, &r.Spec, req.Now), parsed.PublicKey); err != nil {
		return fmt.Errorf("sign certificate request %s: %w", r.Name, err)
	}
	if _, err := req.Client.Update(ctx, client.RefOf(table, r), "status", done, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write what became of certificate request %s: %w", r.Name, err)
	}
	return nil
}

// waitsForSigner says whether a request is approved, and nothing has come of it yet.
func waitsForSigner(r *request) bool {
	switch r.Spec.SignerName {
	case certificatesv1.KubeAPIServerClientSignerName, certificatesv1.KubeAPIServerClientKubeletSignerName,
		certificatesv1.KubeletServingSignerName, certificates.LegacyUnknown:
	default:
		return false
	}
	return len(r.Status.Certificate) == 0 && has(r, certificatesv1.CertificateApproved) && !has(r, certificatesv1.CertificateDenied) &&
		!has(r, certificatesv1.CertificateFailed)
}

func has(r *request, kind certificatesv1.RequestConditionType) bool {
	return slices.ContainsFunc(r.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool { return c.Type == kind })
}

// template is what a certificate says: names from the request, purposes and life as approved, and no extension that the
// requester thought of.
func template(parsed *x509.CertificateRequest, spec *certificatesv1.CertificateSigningRequestSpec, now time.Time) *x509.Certificate {
	life := longest
	if spec.ExpirationSeconds != nil {
		life = min(longest, max(shortest, time.Duration(*spec.ExpirationSeconds)*time.Second))
	}
	end := now.Add(life)
	if life >= short {
		end = end.Add(-clockSkew)
	}
	t := &x509.Certificate{
		Subject: parsed.Subject, DNSNames: parsed.DNSNames, IPAddresses: parsed.IPAddresses, EmailAddresses: parsed.EmailAddresses,
		URIs: parsed.URIs, NotBefore: now.Add(-clockSkew), NotAfter: end, BasicConstraintsValid: true,
	}
	for _, usage := range spec.Usages {
		if bit, ok := keyUsages[usage]; ok {
			t.KeyUsage |= bit
		} else if purpose, ok := purposes[usage]; ok && !slices.Contains(t.ExtKeyUsage, purpose) {
			t.ExtKeyUsage = append(t.ExtKeyUsage, purpose)
		}
	}
	slices.Sort(t.ExtKeyUsage)
	return t
}

var keyUsages = map[certificatesv1.KeyUsage]x509.KeyUsage{
	certificatesv1.UsageSigning:           x509.KeyUsageDigitalSignature,
	certificatesv1.UsageDigitalSignature:  x509.KeyUsageDigitalSignature,
	certificatesv1.UsageContentCommitment: x509.KeyUsageContentCommitment,
	certificatesv1.UsageKeyEncipherment:   x509.KeyUsageKeyEncipherment,
	certificatesv1.UsageKeyAgreement:      x509.KeyUsageKeyAgreement,
	certificatesv1.UsageDataEncipherment:  x509.KeyUsageDataEncipherment,
	certificatesv1.UsageCertSign:          x509.KeyUsageCertSign,
	certificatesv1.UsageCRLSign:           x509.KeyUsageCRLSign,
	certificatesv1.UsageEncipherOnly:      x509.KeyUsageEncipherOnly,
	certificatesv1.UsageDecipherOnly:      x509.KeyUsageDecipherOnly,
}

var purposes = map[certificatesv1.KeyUsage]x509.ExtKeyUsage{
	certificatesv1.UsageAny:             x509.ExtKeyUsageAny,
	certificatesv1.UsageServerAuth:      x509.ExtKeyUsageServerAuth,
	certificatesv1.UsageClientAuth:      x509.ExtKeyUsageClientAuth,
	certificatesv1.UsageCodeSigning:     x509.ExtKeyUsageCodeSigning,
	certificatesv1.UsageEmailProtection: x509.ExtKeyUsageEmailProtection,
	certificatesv1.UsageSMIME:           x509.ExtKeyUsageEmailProtection,
	certificatesv1.UsageIPsecEndSystem:  x509.ExtKeyUsageIPSECEndSystem,
	certificatesv1.UsageIPsecTunnel:     x509.ExtKeyUsageIPSECTunnel,
	certificatesv1.UsageIPsecUser:       x509.ExtKeyUsageIPSECUser,
	certificatesv1.UsageTimestamping:    x509.ExtKeyUsageTimeStamping,
	certificatesv1.UsageOCSPSigning:     x509.ExtKeyUsageOCSPSigning,
	certificatesv1.UsageMicrosoftSGC:    x509.ExtKeyUsageMicrosoftServerGatedCrypto,
	certificatesv1.UsageNetscapeSGC:     x509.ExtKeyUsageNetscapeServerGatedCrypto,
}
