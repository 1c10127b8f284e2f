// Command registry serves the images of docker-archive tars, for tests that have to pull where no registry is in reach.
//
// usage: registry ADDRESS FOLDER     serves FOLDER/*.tar over HTTP, until it is ended. The host of an image's name is dropped.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: registry ADDRESS FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(address, folder string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	served := make(chan error, 1)
	server := &http.Server{Handler: registry.New(), ReadHeaderTimeout: 10 * time.Second}
	go func() { served <- server.Serve(l) }()
	files, err := filepath.Glob(filepath.Join(folder, "*.tar"))
	if err != nil {
		return fmt.Errorf("find images: %w", err)
	}
	for _, f := range files {
		if err := push(address, f); err != nil {
			return fmt.Errorf("serve %s: %w", f, err)
		}
	}
	fmt.Println("serving")
	return <-served
}

// push puts every image of a tar into the registry at an address, under the names that the tar gives it.
func push(address, file string) error {
	open := func() (io.ReadCloser, error) { return os.Open(file) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return err
	}
	for _, image := range manifest {
		for _, tag := range image.RepoTags {
			from, err := name.NewTag(tag)
			if err != nil {
				return err
			}
			to, err := name.NewTag(address+"/"+from.RepositoryStr()+":"+from.TagStr(), name.Insecure)
			if err != nil {
				return err
			}
			content, err := tarball.ImageFromPath(file, &from)
			if err != nil {
				return err
			}
			if err := remote.Write(to, content); err != nil {
				return err
			}
		}
	}
	return nil
}
