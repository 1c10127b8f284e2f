package certificates

import (
	"encoding/pem"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/internal/growth"
)

// What users send as requests and certificates is parsed before anybody has looked at it.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"), "example.com/a")
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), "kubernetes.io/kubelet-serving")
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, data []byte, signer string) {
		grown.Tried(t)
		for _, block := range [][]byte{data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: data}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data})} {
			parsed, err := ParseRequest(block)
			if err == nil && checkRequest(block) == nil {
				_ = CheckForSigner(signer, parsed, []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth})
			}
			_ = checkCertificate(block)
		}
		if errs := ValidateSignerName(field.NewPath("signer"), signer); len(errs) == 0 && len(signer) > 571 {
			t.Errorf("a signer's name of %d bytes", len(signer))
		}
	})
}
