package core

import (
	"crypto/tls"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Secret is the row of secrets.
func Secret() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "secrets", Singular: "secret", Kind: "Secret", Namespaced: true,
		New:                      func() resource.Object { return &corev1.Secret{} },
		NewList:                  func() runtime.Object { return &corev1.SecretList{} },
		Default:                  resource.Do(defaultSecret),
		Validate:                 resource.Typed(validateSecret),
		ValidateChange:           resource.Typed2(validateSecretChange),
		ValidateUpdate:           resource.Typed2(func(secret, _ *corev1.Secret) field.ErrorList { return validateSecret(secret) }),
		NameLast:                 true,
		Warnings:                 func(obj, _ resource.Object) []string { return secretWarnings(obj.(*corev1.Secret)) },
		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(),
			meta.Column("Type", corev1.Secret{}.SwaggerDoc()["type"]),
			meta.Column("Data", corev1.Secret{}.SwaggerDoc()["data"]),
			meta.Age(),
		},
		Row: resource.Typed(func(secret *corev1.Secret) []any {
			return []any{secret.Name, string(secret.Type), int64(len(secret.Data)), meta.Since(secret.CreationTimestamp)}
		}),
		Fields:      resource.Typed(func(secret *corev1.Secret) fields.Set { return fields.Set{"type": string(secret.Type)} }),
		FieldLabels: []string{"type"},
	}
}

// defaultSecret also moves stringData, which is written only, over data.
func defaultSecret(secret *corev1.Secret) {
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque
	}
	if len(secret.StringData) > 0 && secret.Data == nil {
		secret.Data = make(map[string][]byte, len(secret.StringData))
	}
	for key, value := range secret.StringData {
		secret.Data[key] = []byte(value)
	}
	secret.StringData = nil
}

func validateSecret(secret *corev1.Secret) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("data")
	size := 0
	for _, key := range meta.Sorted(secret.Data) {
		errs = append(errs, meta.Each(path.Key(key), key, utilvalidation.IsConfigMapKey(key))...)
		size += len(secret.Data[key])
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(path, "", corev1.MaxSecretSize))
	}
	return append(errs, validateSecretType(secret, path)...)
}

// validateSecretType wants what each known type of secret promises to hold.
func validateSecretType(secret *corev1.Secret, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch secret.Type {
	case corev1.SecretTypeServiceAccountToken:
		if secret.Annotations[corev1.ServiceAccountNameKey] == "" {
			errs = append(errs, field.Required(field.NewPath("metadata", "annotations").Key(corev1.ServiceAccountNameKey), ""))
		}
	case corev1.SecretTypeDockercfg:
		errs = wantJSON(secret, path, corev1.DockerConfigKey)
	case corev1.SecretTypeDockerConfigJson:
		errs = wantJSON(secret, path, corev1.DockerConfigJsonKey)
	case corev1.SecretTypeBasicAuth:
		_, user := secret.Data[corev1.BasicAuthUsernameKey]
		_, password := secret.Data[corev1.BasicAuthPasswordKey]
		if !user && !password {
			errs = append(errs, field.Required(path.Key(corev1.BasicAuthUsernameKey), ""), field.Required(path.Key(corev1.BasicAuthPasswordKey), ""))
		}
	case corev1.SecretTypeSSHAuth:
		if len(secret.Data[corev1.SSHAuthPrivateKey]) == 0 {
			errs = append(errs, field.Required(path.Key(corev1.SSHAuthPrivateKey), ""))
		}
	case corev1.SecretTypeTLS:
		for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
			if _, ok := secret.Data[key]; !ok {
				errs = append(errs, field.Required(path.Key(key), ""))
			}
		}
	}
	return errs
}

func wantJSON(secret *corev1.Secret, path *field.Path, key string) field.ErrorList {
	data, ok := secret.Data[key]
	if !ok {
		return field.ErrorList{field.Required(path.Key(key), "")}
	}
	if err := json.Unmarshal(data, &map[string]any{}); err != nil {
		return field.ErrorList{field.Invalid(path.Key(key), "<secret contents redacted>", err.Error())}
	}
	return nil
}

func validateSecretChange(secret, old *corev1.Secret) field.ErrorList {
	errs := validation.ValidateImmutableField(secret.Type, old.Type, field.NewPath("type"))
	if isTrue(old.Immutable) {
		if !isTrue(secret.Immutable) {
			errs = append(errs, field.Forbidden(field.NewPath("immutable"), immutableDetail))
		}
		if !sameMap(secret.Data, old.Data) {
			errs = append(errs, field.Forbidden(field.NewPath("data"), immutableDetail))
		}
	}
	return errs
}

// secretWarnings says when a TLS key does not belong to its certificate.
func secretWarnings(secret *corev1.Secret) []string {
	if secret.Type != corev1.SecretTypeTLS {
		return nil
	}
	if _, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]); err != nil {
		return []string{err.Error()}
	}
	return nil
}
