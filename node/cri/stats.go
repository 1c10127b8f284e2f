package cri

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// PodUsage is what a pod and its running containers use. Sizes are in bytes.
type PodUsage struct {
	Memory, Processes int64
	Containers        []ContainerUsage
}

// ContainerUsage is what one running container uses.
type ContainerUsage struct {
	Name                    string
	Memory                  int64
	LayerBytes, LayerInodes int64 // what it wrote on top of its image
}

// Usage asks what the pods use, by uid.
func (c *Client) Usage(ctx context.Context) (map[types.UID]PodUsage, error) {
	r, err := c.runtime.ListPodSandboxStats(ctx, &runtimeapi.ListPodSandboxStatsRequest{})
	if err != nil {
		return nil, plain(err)
	}
	all := make(map[types.UID]PodUsage, len(r.Stats))
	for _, s := range r.Stats {
		u := PodUsage{Processes: int64(s.GetLinux().GetProcess().GetProcessCount().GetValue())}
		for _, c := range s.GetLinux().GetContainers() {
			one := ContainerUsage{
				Name: c.GetAttributes().GetMetadata().GetName(), Memory: int64(c.GetMemory().GetWorkingSetBytes().GetValue()),
				LayerBytes: int64(c.GetWritableLayer().GetUsedBytes().GetValue()), LayerInodes: int64(c.GetWritableLayer().GetInodesUsed().GetValue()),
			}
			u.Memory += one.Memory
			u.Containers = append(u.Containers, one)
		}
		// Of the whole pod the runtime knows more: what is in memory volumes counts there.
		u.Memory = max(u.Memory, int64(s.GetLinux().GetMemory().GetWorkingSetBytes().GetValue()))
		all[types.UID(s.GetAttributes().GetMetadata().GetUid())] = u
	}
	return all, nil
}

// ImageDir is a folder on the file system that holds images and containers' layers.
func (c *Client) ImageDir(ctx context.Context) (string, error) {
	r, err := c.images.ImageFsInfo(ctx, &runtimeapi.ImageFsInfoRequest{})
	if err != nil {
		return "", plain(err)
	}
	if len(r.ImageFilesystems) == 0 {
		return "", errors.New("the runtime does not say where it keeps images")
	}
	return r.ImageFilesystems[0].GetFsId().GetMountpoint(), nil
}
