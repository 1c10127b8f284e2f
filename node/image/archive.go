package image

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// manifestLimit bounds what is read into memory of an archive's table of contents.
const manifestLimit = 8 << 20

// archiveNames reads an image archive's table of contents: the full names of its images. An archive that is neither
// form, or that names no image, is an error: nobody could use what it would import.
func archiveNames(archive io.Reader) ([]string, error) {
	plain, err := uncompressed(archive)
	if err != nil {
		return nil, err
	}
	var docker, layout []string
	reader := tar.NewReader(plain)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		switch strings.TrimPrefix(header.Name, "./") {
		case "manifest.json":
			docker, err = dockerNames(io.LimitReader(reader, manifestLimit))
		case "index.json":
			layout, err = layoutNames(io.LimitReader(reader, manifestLimit))
		}
		if err != nil {
			return nil, err
		}
	}
	// `docker save` writes both since version 25; containerd reads the layout then, whose names are complete.
	names := layout
	if len(names) == 0 {
		names = docker
	}
	if len(names) == 0 {
		return nil, errors.New("not an image archive with named images: it needs manifest.json with RepoTags (docker-archive) or index.json with io.containerd.image.name (OCI layout)")
	}
	return fullNames(names)
}

// uncompressed looks at the first bytes.
func uncompressed(archive io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(archive)
	magic, err := buffered.Peek(2)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil
	}
	plain, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	return plain, nil
}

func dockerNames(manifest io.Reader) ([]string, error) {
	var images []struct{ RepoTags []string }
	if err := json.NewDecoder(manifest).Decode(&images); err != nil {
		return nil, fmt.Errorf("read manifest.json: %w", err)
	}
	var names []string
	for _, image := range images {
		names = append(names, image.RepoTags...)
	}
	return names, nil
}

func layoutNames(index io.Reader) ([]string, error) {
	var content struct {
		Manifests []struct{ Annotations map[string]string }
	}
	if err := json.NewDecoder(index).Decode(&content); err != nil {
		return nil, fmt.Errorf("read index.json: %w", err)
	}
	var names []string
	for _, manifest := range content.Manifests {
		image := manifest.Annotations["io.containerd.image.name"]
		if image == "" {
			image = manifest.Annotations["org.opencontainers.image.ref.name"]
		}
		// A bare tag names nothing without the repository.
		if strings.ContainsAny(image, ":/") {
			names = append(names, image)
		}
	}
	return names, nil
}

func fullNames(names []string) ([]string, error) {
	full := make([]string, len(names))
	for i, given := range names {
		complete, err := FullName(given)
		if err != nil {
			return nil, err
		}
		full[i] = complete
	}
	return full, nil
}

// FullName is the name under which the runtime knows an image: "web:1" is docker.io/library/web:1.
func FullName(given string) (string, error) {
	ref, err := name.ParseReference(given)
	if err != nil {
		return "", fmt.Errorf("read image name: %w", err)
	}
	complete := ref.Name()
	if rest, ok := strings.CutPrefix(complete, "index.docker.io/"); ok {
		complete = "docker.io/" + rest
	}
	return complete, nil
}
