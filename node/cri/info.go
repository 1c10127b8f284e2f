package cri

import (
	"context"
	"fmt"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Info is what a runtime says about itself.
type Info struct {
	Name, Version            string
	NotReady                 []string // why no pod can start; empty when all is well
	Handlers                 []Handler
	SupplementalGroupsPolicy bool
}

// Handler is one way to run containers, named by runtime classes; "" is the default.
type Handler struct {
	Name                    string
	RecursiveReadOnlyMounts bool
	UserNamespaces          bool
}

// Info asks the runtime for its version, its features and whether it and its network are ready.
func (c *Client) Info(ctx context.Context) (Info, error) {
	version, err := c.runtime.Version(ctx, &runtimeapi.VersionRequest{})
	if err != nil {
		return Info{}, plain(err)
	}
	r, err := c.runtime.Status(ctx, &runtimeapi.StatusRequest{})
	if err != nil {
		return Info{}, plain(err)
	}
	// Runtimes have further conditions, such as warnings about their configuration, that keep no pod from starting.
	vital := map[string]string{runtimeapi.RuntimeReady: "container runtime not ready", runtimeapi.NetworkReady: "container runtime network not ready"}
	info := Info{Name: version.RuntimeName, Version: version.RuntimeVersion, SupplementalGroupsPolicy: r.Features.GetSupplementalGroupsPolicy()}
	for _, condition := range r.Status.GetConditions() {
		what, counts := vital[condition.Type]
		if condition.Status || !counts {
			continue
		}
		info.NotReady = append(info.NotReady, fmt.Sprintf("%s: %s=false reason:%s message:%s", what, condition.Type, condition.Reason, condition.Message))
	}
	for _, h := range r.RuntimeHandlers {
		info.Handlers = append(info.Handlers, Handler{
			Name: h.Name, RecursiveReadOnlyMounts: h.Features.GetRecursiveReadOnlyMounts(), UserNamespaces: h.Features.GetUserNamespaces(),
		})
	}
	return info, nil
}

// ImageNames is one image under all its names.
type ImageNames struct {
	ID     string
	Names  []string // digests first
	Size   int64
	Pinned bool // the runtime itself needs it
	// Pulled says that it came from a registry, which can give it once more.
	Pulled bool
}

// ListImages lists what the runtime holds.
func (c *Client) ListImages(ctx context.Context) ([]ImageNames, error) {
	r, err := c.images.ListImages(ctx, &runtimeapi.ListImagesRequest{})
	if err != nil {
		return nil, plain(err)
	}
	all := make([]ImageNames, 0, len(r.Images))
	for _, image := range r.Images {
		names := append(append([]string{}, image.RepoDigests...), image.RepoTags...)
		all = append(all, ImageNames{ID: image.Id, Names: names, Size: int64(image.Size), Pinned: image.Pinned, Pulled: len(image.RepoDigests) > 0})
	}
	return all, nil
}
