package podspec

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ContainersColumn is the column of the names of a template's containers, for kubectl get -o wide.
func ContainersColumn() resource.Column {
	return meta.Wide("Containers", "Names of each container in the template.")
}

// ImagesColumn is the column of the images of a template's containers, for kubectl get -o wide.
func ImagesColumn() resource.Column {
	return meta.Wide("Images", "Images referenced by each container in the template.")
}

// ContainerCells are the cells of ContainersColumn and ImagesColumn.
func ContainerCells(containers []corev1.Container) (names, images string) {
	var n, i []string
	for _, c := range containers {
		n, i = append(n, c.Name), append(i, c.Image)
	}
	return strings.Join(n, ","), strings.Join(i, ",")
}
