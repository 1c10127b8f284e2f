package cri

import (
	"context"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Image is an image the runtime holds.
type Image struct {
	ID   string
	Size uint64
	User ImageUser
}

// Image looks an image up by name or id; ok is false when the runtime does not hold it.
func (c *Client) Image(ctx context.Context, name string) (image Image, ok bool, err error) {
	r, err := c.images.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: name}})
	if err != nil {
		return Image{}, false, plain(err)
	}
	if r.Image == nil || r.Image.Id == "" {
		return Image{}, false, nil
	}
	image = Image{ID: r.Image.Id, Size: r.Image.Size, User: ImageUser{Name: r.Image.Username}}
	switch {
	case r.Image.Uid != nil:
		image.User.UID = &r.Image.Uid.Value
	case r.Image.Username == "": // an image that names no user runs as root
		image.User.UID = new(int64)
	}
	return image, true, nil
}

// RemoveImage removes an image under all its names. Removing what is not there succeeds.
func (c *Client) RemoveImage(ctx context.Context, id string) error {
	_, err := c.images.RemoveImage(ctx, &runtimeapi.RemoveImageRequest{Image: &runtimeapi.ImageSpec{Image: id}})
	return plain(err)
}

// ImagesInUse are the images that containers, running or not, were made of: by id, or as the runtime refers to them.
func (c *Client) ImagesInUse(ctx context.Context) (map[string]bool, error) {
	r, err := c.runtime.ListContainers(ctx, &runtimeapi.ListContainersRequest{})
	if err != nil {
		return nil, plain(err)
	}
	used := map[string]bool{}
	for _, container := range r.Containers {
		for _, name := range []string{container.ImageId, container.ImageRef, container.Image.GetImage()} {
			if name != "" {
				used[name] = true
			}
		}
	}
	return used, nil
}

// Credentials authenticate a pull.
type Credentials struct{ Username, Password, Auth, IdentityToken, RegistryToken, ServerAddress string }

// Pull fetches an image and returns its reference. credentials may be nil.
func (c *Client) Pull(ctx context.Context, name string, credentials *Credentials, sandbox *runtimeapi.PodSandboxConfig) (string, error) {
	request := &runtimeapi.PullImageRequest{Image: &runtimeapi.ImageSpec{Image: name, UserSpecifiedImage: name}, SandboxConfig: sandbox}
	if credentials != nil {
		request.Auth = &runtimeapi.AuthConfig{
			Username: credentials.Username, Password: credentials.Password, Auth: credentials.Auth,
			IdentityToken: credentials.IdentityToken, RegistryToken: credentials.RegistryToken, ServerAddress: credentials.ServerAddress,
		}
	}
	r, err := c.images.PullImage(ctx, request)
	if err != nil {
		return "", plain(err)
	}
	return r.ImageRef, nil
}
