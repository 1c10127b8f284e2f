package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// A certificate says what was approved, for as long as was asked, and never that it may sign others.
func TestTemplate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	parsed := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "ann"}, DNSNames: []string{"a.example"},
		Extensions: []pkix.Extension{{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}}}
	for seconds, want := range map[int32]time.Duration{
		0:        365*24*time.Hour - 5*time.Minute, // not said
		1:        10 * time.Minute,
		600:      10 * time.Minute,
		3600:     time.Hour,
		8 * 3600: 8*time.Hour - 5*time.Minute,
		1 << 30:  365*24*time.Hour - 5*time.Minute,
	} {
		spec := certificatesv1.CertificateSigningRequestSpec{Usages: []certificatesv1.KeyUsage{"client auth", "digital signature",
			"signing", "s/mime", "email protection", "server auth", "key encipherment"}}
		if seconds > 0 {
			spec.ExpirationSeconds = &seconds
		}
		got := template(parsed, &spec, now)
		if life := got.NotAfter.Sub(now); life != want || !got.NotBefore.Equal(now.Add(-5*time.Minute)) {
			t.Errorf("%d seconds: valid for %v from %v, want %v", seconds, life, got.NotBefore, want)
		}
		if got.IsCA || len(got.Extensions)+len(got.ExtraExtensions) > 0 || got.Subject.CommonName != "ann" || !slices.Equal(got.DNSNames, parsed.DNSNames) {
			t.Errorf("not what was approved: %+v", got)
		}
		if got.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment || !slices.Equal(got.ExtKeyUsage,
			[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}) {
			t.Errorf("usages %v %v", got.KeyUsage, got.ExtKeyUsage)
		}
	}
}
