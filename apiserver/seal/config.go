package seal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// The file of --encryption-provider-config. The fields are those of EncryptionConfiguration, apiserver.config.k8s.io/v1.
type (
	configuration struct {
		metav1.TypeMeta `json:",inline"`
		Resources       []resourceConfiguration `json:"resources"`
	}
	resourceConfiguration struct {
		Resources []string                `json:"resources"`
		Providers []providerConfiguration `json:"providers"`
	}
	providerConfiguration struct {
		AESGCM    *keysConfiguration `json:"aesgcm,omitempty"`
		AESCBC    *keysConfiguration `json:"aescbc,omitempty"`
		Secretbox *keysConfiguration `json:"secretbox,omitempty"`
		Identity  *struct{}          `json:"identity,omitempty"`
		KMS       *kmsConfiguration  `json:"kms,omitempty"`
	}
	keysConfiguration struct {
		Keys []keyConfiguration `json:"keys"`
	}
	keyConfiguration struct {
		Name   string `json:"name"`
		Secret string `json:"secret"` // base64
	}
	kmsConfiguration struct {
		APIVersion string           `json:"apiVersion"`
		Name       string           `json:"name"`
		CacheSize  *int32           `json:"cachesize,omitempty"`
		Endpoint   string           `json:"endpoint"`
		Timeout    *metav1.Duration `json:"timeout,omitempty"`
	}
)

const (
	configVersion = "apiserver.config.k8s.io/v1"
	configKind    = "EncryptionConfiguration"
)

// Load makes the Sealer of a configuration file. own, which may be nil, are the keys with which the cluster sealed
// before it was given a configuration: they read only.
func Load(ctx context.Context, path string, own *Own) (*Sealer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read encryption configuration: %w", err)
	}
	s, err := parse(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("encryption configuration %s: %w", path, err)
	}
	if own != nil {
		s.others = own.providers
	}
	return s, nil
}

func parse(ctx context.Context, data []byte) (*Sealer, error) {
	c, err := decode(data)
	if err != nil {
		return nil, err
	}
	if errs := c.validate(); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	s := &Sealer{}
	for _, rc := range c.Resources {
		r := rule{resources: rc.Resources}
		for _, pc := range rc.Providers {
			made, err := pc.open(ctx)
			if err != nil {
				return nil, err
			}
			r.providers = append(r.providers, made...)
		}
		s.rules = append(s.rules, r)
	}
	return s, nil
}

func decode(data []byte) (*configuration, error) {
	var c configuration
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return nil, err
	}
	if c.APIVersion != configVersion || c.Kind != configKind {
		return nil, fmt.Errorf("it holds a %s of %s: expected %s of %s", c.Kind, c.APIVersion, configKind, configVersion)
	}
	return &c, nil
}

// open makes the providers of one entry, one for each key.
func (c *providerConfiguration) open(ctx context.Context) ([]provider, error) {
	switch {
	case c.Identity != nil:
		return []provider{nil}, nil
	case c.KMS != nil:
		p, err := openKMS(ctx, c.KMS)
		if err != nil {
			return nil, fmt.Errorf("kms %s: %w", c.KMS.Name, err)
		}
		return []provider{p}, nil
	}
	var all []provider
	if c.AESGCM != nil {
		for _, k := range c.AESGCM.Keys {
			all = append(all, &aesGCM{k.Name, k.bytes()})
		}
		return all, nil
	}
	for _, k := range c.Secretbox.Keys {
		all = append(all, &box{k.Name, [32]byte(k.bytes())})
	}
	return all, nil
}

// bytes is the key itself, which validate has seen.
func (k *keyConfiguration) bytes() []byte {
	data, err := base64.StdEncoding.DecodeString(k.Secret)
	if err != nil {
		return nil
	}
	return data
}

func (c *configuration) validate() field.ErrorList {
	root := field.NewPath("resources")
	if len(c.Resources) == 0 {
		return field.ErrorList{field.Required(root, fmt.Sprintf("at least one %s is required", root))}
	}
	var errs field.ErrorList
	for i, r := range c.Resources {
		at, seen := root.Index(i), map[string]bool{}
		if len(r.Resources) == 0 {
			errs = append(errs, field.Required(at.Child("resources"), fmt.Sprintf("at least one %s is required", at.Child("resources"))))
		}
		for j, name := range r.Resources {
			errs = append(errs, validateResource(at.Child("resources").Index(j), name, seen)...)
		}
		if len(r.Providers) == 0 {
			errs = append(errs, field.Required(at.Child("providers"), fmt.Sprintf("at least one %s is required", at.Child("providers"))))
		}
		for j := range r.Providers {
			errs = append(errs, r.Providers[j].validate(at.Child("providers").Index(j))...)
		}
	}
	return errs
}

func validateResource(path *field.Path, name string, seen map[string]bool) field.ErrorList {
	var errs field.ErrorList
	switch {
	case name == "":
		errs = append(errs, field.Invalid(path, name, "resource name is empty"))
	case name == "*":
		errs = append(errs, field.Invalid(path, name, "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"))
	case strings.ToLower(name) != name:
		errs = append(errs, field.Invalid(path, name, "resource name should not contain capital letters"))
	case strings.Contains(strings.TrimPrefix(name, "*."), "*") && name != "*.*":
		errs = append(errs, field.Invalid(path, name, "a wildcard stands for a whole resource or group"))
	case seen[name]:
		errs = append(errs, field.Invalid(path, name, "overlapping masks: the resource is named twice"))
	}
	seen[name] = true
	return errs
}

func (c *providerConfiguration) validate(path *field.Path) field.ErrorList {
	given := 0
	for _, is := range []bool{c.AESGCM != nil, c.AESCBC != nil, c.Secretbox != nil, c.Identity != nil, c.KMS != nil} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return field.ErrorList{field.Required(path, "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity")}
	case given > 1:
		return field.ErrorList{field.Invalid(path, "", "more than one provider specified in a single element, should split into different list elements")}
	case c.AESGCM != nil:
		return validateKeys(path.Child("aesgcm", "keys"), c.AESGCM.Keys, 16, 24, 32)
	case c.Secretbox != nil:
		return validateKeys(path.Child("secretbox", "keys"), c.Secretbox.Keys, 32)
	case c.AESCBC != nil:
		return field.ErrorList{field.Forbidden(path.Child("aescbc"), "it does not notice when a row was tampered with: use aesgcm, secretbox or kms")}
	case c.KMS != nil:
		return c.KMS.validate(path.Child("kms"))
	}
	return nil
}

func validateKeys(path *field.Path, keys []keyConfiguration, sizes ...int) field.ErrorList {
	if len(keys) == 0 {
		return field.ErrorList{field.Required(path, fmt.Sprintf("at least one %s is required", path))}
	}
	var errs field.ErrorList
	names := map[string]bool{}
	for i, k := range keys {
		at := path.Index(i)
		switch {
		case k.Name == "":
			errs = append(errs, field.Required(at.Child("name"), "key must be provided"))
		case strings.Contains(k.Name, ":"):
			errs = append(errs, field.Invalid(at.Child("name"), k.Name, "a name ends at a colon where rows are kept"))
		case names[k.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), k.Name))
		}
		names[k.Name] = true
		if _, err := base64.StdEncoding.DecodeString(k.Secret); k.Secret == "" || err != nil {
			errs = append(errs, field.Invalid(at.Child("secret"), "REDACTED", "secret must be base64 encoded"))
		} else if !slices.Contains(sizes, len(k.bytes())) {
			errs = append(errs, field.Invalid(at.Child("secret"), "REDACTED",
				fmt.Sprintf("secret is not of the expected length, got %d, expected one of %v", len(k.bytes()), sizes)))
		}
	}
	return errs
}

// defaultTimeout is how long one call of a plug-in may take, as upstream's.
const defaultTimeout = 3 * time.Second

func (c *kmsConfiguration) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case c.Name == "":
		errs = append(errs, field.Required(path.Child("name"), "provider name is required"))
	case strings.Contains(c.Name, ":"):
		errs = append(errs, field.Invalid(path.Child("name"), c.Name, "invalid KMS provider name "+c.Name+", must not contain ':'"))
	}
	if c.APIVersion != "v2" {
		errs = append(errs, field.Invalid(path.Child("apiVersion"), c.APIVersion, "unsupported apiVersion for KMS provider: v2 is the one that is served"))
	}
	if c.CacheSize != nil {
		errs = append(errs, field.Invalid(path.Child("cachesize"), *c.CacheSize, "cachesize is not supported in v2"))
	}
	if c.Timeout != nil && c.Timeout.Duration <= 0 {
		errs = append(errs, field.Invalid(path.Child("timeout"), c.Timeout, "timeout should be a positive value"))
	}
	if !strings.HasPrefix(c.Endpoint, "unix:///") && !strings.HasPrefix(c.Endpoint, "unix://@") {
		errs = append(errs, field.Invalid(path.Child("endpoint"), c.Endpoint, "must be a socket of this machine: unix:///path or unix://@name"))
	}
	return errs
}

var errOwn = errors.New("the file with the cluster's own encryption keys is damaged; restore it from a backup, or start with an empty data directory")
