package run

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/distribution/reference"
	v1 "k8s.io/api/core/v1"

	"proa/node/cri"
)

// dockerConfig is what an image pull secret holds under .dockerconfigjson.
type dockerConfig struct {
	Auths map[string]dockerAuth `json:"auths"`
}

type dockerAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// credentials lists what to try for an image, the pod's pull secrets first, and last without any.
func (r *Runner) credentials(ctx context.Context, p *v1.Pod, image string) []*cri.Credentials {
	var all []*cri.Credentials
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return []*cri.Credentials{nil}
	}
	for _, ref := range p.Spec.ImagePullSecrets {
		secret, err := source{ctx, r.Client}.Secret(p.Namespace, ref.Name)
		if err != nil {
			r.Log.Info("image pull secret is missing", "secret", ref.Name, "error", err)
			continue
		}
		for registry, auth := range authsOf(secret) {
			if registryMatches(registry, named.Name()) {
				all = append(all, auth.credentials(registry))
			}
		}
	}
	return append(all, nil)
}

func authsOf(secret *v1.Secret) map[string]dockerAuth {
	var config dockerConfig
	if json.Unmarshal(secret.Data[v1.DockerConfigJsonKey], &config) == nil && len(config.Auths) > 0 {
		return config.Auths
	}
	_ = json.Unmarshal(secret.Data[v1.DockerConfigKey], &config.Auths) // the old form, or nothing
	return config.Auths
}

// registryMatches says whether an entry such as "https://reg.example/team" covers an image's full name.
func registryMatches(registry, name string) bool {
	registry = strings.TrimPrefix(strings.TrimPrefix(registry, "https://"), "http://")
	registry = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(registry, "/"), "/v1"), "/v2")
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	return registry != "" && (name == registry || strings.HasPrefix(name, registry+"/"))
}

func (a dockerAuth) credentials(registry string) *cri.Credentials {
	c := &cri.Credentials{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken, ServerAddress: registry}
	if decoded, err := base64.StdEncoding.DecodeString(a.Auth); err == nil && a.Auth != "" {
		c.Username, c.Password, _ = strings.Cut(string(decoded), ":")
	}
	return c
}
