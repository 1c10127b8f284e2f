package oidc

import (
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	api "k8s.io/apiserver/pkg/apis/apiserver"
	apiv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"sigs.k8s.io/yaml"
)

// Flags name one issuer, as upstream's --oidc-* do.
type Flags struct {
	IssuerURL      string
	ClientID       string
	UsernameClaim  string // empty: sub
	UsernamePrefix string // "-": none; empty: none for email, and for others the issuer and "#"
	GroupsClaim    string
	GroupsPrefix   string
	RequiredClaims map[string]string
	Algorithms     []string // of signatures; empty: RS256
	CAFile         string

	ca string
}

// Complete fills in what was left out, and reads the file.
func (f *Flags) Complete() error {
	if f.IssuerURL == "" || f.ClientID == "" {
		return fmt.Errorf("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set")
	}
	if f.UsernameClaim == "" {
		f.UsernameClaim = "sub"
	}
	switch {
	case f.UsernamePrefix == "-":
		f.UsernamePrefix = ""
	case f.UsernamePrefix == "" && f.UsernameClaim != "email":
		f.UsernamePrefix = f.IssuerURL + "#"
	}
	if len(f.Algorithms) == 0 {
		f.Algorithms = []string{"RS256"}
	}
	if f.CAFile == "" {
		return nil
	}
	data, err := os.ReadFile(f.CAFile)
	if err != nil {
		return fmt.Errorf("read authority of the issuer: %w", err)
	}
	f.ca = string(data)
	return nil
}

func (f *Flags) configuration() *api.AuthenticationConfiguration {
	jwt := api.JWTAuthenticator{
		Issuer: api.Issuer{URL: f.IssuerURL, Audiences: []string{f.ClientID}, CertificateAuthority: f.ca},
		ClaimMappings: api.ClaimMappings{
			Username: api.PrefixedClaimOrExpression{Claim: f.UsernameClaim, Prefix: &f.UsernamePrefix},
		},
	}
	if f.GroupsClaim != "" {
		jwt.ClaimMappings.Groups = api.PrefixedClaimOrExpression{Claim: f.GroupsClaim, Prefix: &f.GroupsPrefix}
	}
	for claim, value := range f.RequiredClaims {
		jwt.ClaimValidationRules = append(jwt.ClaimValidationRules, api.ClaimValidationRule{Claim: claim, RequiredValue: value})
	}
	return &api.AuthenticationConfiguration{JWT: []api.JWTAuthenticator{jwt}}
}

// decode reads a file strictly: a field that is misspelled would let somebody in, or out.
func decode(data []byte) (*api.AuthenticationConfiguration, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(data, &kind); err != nil {
		return nil, err
	}
	const version, name = "apiserver.config.k8s.io/v1", "AuthenticationConfiguration"
	if kind.APIVersion != version || kind.Kind != name {
		return nil, fmt.Errorf("it holds a %s of %s: expected %s of %s", kind.Kind, kind.APIVersion, name, version)
	}
	var read apiv1.AuthenticationConfiguration
	if err := yaml.UnmarshalStrict(data, &read); err != nil {
		return nil, err
	}
	var c api.AuthenticationConfiguration
	if err := apiv1.Convert_v1_AuthenticationConfiguration_To_apiserver_AuthenticationConfiguration(&read, &c, nil); err != nil {
		return nil, err
	}
	return &c, nil
}

// validate finds what upstream would.
func validate(c *api.AuthenticationConfiguration, own []string) error {
	return validation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), c, own).ToAggregate()
}
