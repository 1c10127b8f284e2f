package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// How long a projected token may live.
const (
	minTokenSeconds = 10 * 60
	maxTokenSeconds = 1 << 32
)

// projectedFiles remembers the paths that the sources of a projected volume write, and refuses one that is written twice.
type projectedFiles map[string]bool

func (files projectedFiles) check(c *checker, path *field.Path, file string, value any) {
	if file == "" {
		return
	}
	if files[file] {
		c.invalid(path, value, "conflicting duplicate paths")
	}
	files[file] = true
}

func (c *checker) checkProjected(path *field.Path, s *corev1.ProjectedVolumeSource) {
	c.checkMode(path.Child("defaultMode"), s.DefaultMode)
	files := projectedFiles{}
	for i := range s.Sources {
		source, at, count := &s.Sources[i], path.Child("sources").Index(i), 0
		if secret := source.Secret; secret != nil {
			count++
			c.checkProjectedKeys(path, at.Child("secret"), secret.Name, secret.Items, files)
		}
		if configMap := source.ConfigMap; configMap != nil {
			count++
			c.checkProjectedKeys(path, at.Child("configMap"), configMap.Name, configMap.Items, files)
		}
		if source.DownwardAPI != nil {
			count++
			for j := range source.DownwardAPI.Items {
				file := &source.DownwardAPI.Items[j]
				c.checkDownwardFile(at.Child("downwardAPI"), file)
				files.check(c, path, file.Path, file.Path)
			}
		}
		if source.ServiceAccountToken != nil {
			count++
			c.checkToken(path, at.Child("serviceAccountToken"), source.ServiceAccountToken)
		}
		c.forbidIf(count > 1, at, "may not specify more than 1 volume type per source")
	}
}

// checkProjectedKeys takes the path of the volume too: upstream reports clashes of files there.
func (c *checker) checkProjectedKeys(volume, path *field.Path, name string, items []corev1.KeyToPath, files projectedFiles) {
	c.notEmpty(path.Child("name"), name)
	for i := range items {
		c.checkKeyPath(path.Child("items").Index(i), &items[i])
		files.check(c, volume, items[i].Path, name)
	}
}

func (c *checker) checkToken(volume, path *field.Path, token *corev1.ServiceAccountTokenProjection) {
	if s := token.ExpirationSeconds; s != nil {
		switch {
		case *s < minTokenSeconds:
			c.invalid(path.Child("expirationSeconds"), *s, "may not specify a duration less than 10 minutes")
		case *s > maxTokenSeconds:
			c.invalid(path.Child("expirationSeconds"), *s, "may not specify a duration larger than 2^32 seconds")
		}
	}
	// Upstream names the volume here, not the source.
	if token.Path == "" {
		c.required(volume.Child("path"), "")
		return
	}
	c.checkFilePath(volume.Child("path"), token.Path)
}

// checkTokensHaveAccount holds for pods only: without an account there is nobody to make a token for.
func (c *checker) checkTokensHaveAccount(path *field.Path) {
	if c.spec.ServiceAccountName != "" {
		return
	}
	for i := range c.spec.Volumes {
		projected := c.spec.Volumes[i].Projected
		if projected == nil {
			continue
		}
		for j := range projected.Sources {
			at := path.Child("volumes").Index(i).Child("projected", "sources").Index(j).Child("serviceAccountToken")
			c.forbidIf(projected.Sources[j].ServiceAccountToken != nil, at, "must not be specified when serviceAccountName is not set")
		}
	}
}
