package image

import (
	"archive/tar"
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// isMainPackage says whether the directory itself holds Go files of package main.
func isMainPackage(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, entry.Name()), nil, parser.PackageClauseOnly)
		if err == nil && file.Name.Name == "main" {
			return true, nil
		}
	}
	return false, nil
}

// program is a compiled Go program in a temporary directory.
type program struct{ dir, name, path string }

func compile(ctx context.Context, dir string) (program, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return program{}, err
	}
	temporary, err := os.MkdirTemp("", "proa-build-*")
	if err != nil {
		return program{}, err
	}
	p := program{dir: temporary, name: filepath.Base(absolute), path: filepath.Join(temporary, "program")}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", p.path, ".")
	cmd.Dir = absolute
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(temporary)
		return program{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return p, nil
}

// caFile is where Go and most others look first; the machine's own list is what its users trust.
const caFile = "/etc/ssl/certs/ca-certificates.crt"

// writeProgram writes the least that a static program expects around itself.
func writeProgram(w io.Writer, p program) error {
	layer := tar.NewWriter(w)
	passwd := "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	for _, dir := range []string{"etc/", "etc/ssl/", "etc/ssl/certs/"} {
		if err := writeEntry(layer, &tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, ""); err != nil {
			return err
		}
	}
	if _, err := os.Stat(caFile); err == nil {
		if err := writeFile(layer, caFile, &tar.Header{Typeflag: tar.TypeReg, Name: caFile[1:], Mode: 0o644}); err != nil {
			return err
		}
	}
	if err := writeEntry(layer, &tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, passwd); err != nil {
		return err
	}
	if err := writeFile(layer, p.path, &tar.Header{Typeflag: tar.TypeReg, Name: p.name, Mode: 0o755}); err != nil {
		return err
	}
	if err := writeEntry(layer, &tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, ""); err != nil {
		return err
	}
	return layer.Close()
}

// writeTree writes a directory as a root file system. Modes stay; times and owners do not, so that a copy of the
// directory gives the same image. Names are sorted because WalkDir sorts.
func writeTree(w io.Writer, root string) error {
	layer := tar.NewWriter(w)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		inside, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		header, err := headerOf(path, inside, entry)
		if err != nil || header == nil {
			return err
		}
		if header.Typeflag == tar.TypeReg {
			return writeFile(layer, path, header)
		}
		return writeEntry(layer, header, "")
	})
	if err != nil {
		return err
	}
	return layer.Close()
}

// headerOf describes a file, directory, symbolic link or device; sockets have no meaning in an image (nil).
func headerOf(path, inside string, entry fs.DirEntry) (*tar.Header, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return nil, err
	}
	header := &tar.Header{Name: inside, Mode: int64(stat.Mode & 0o7777)}
	switch kind := info.Mode().Type(); {
	case kind == 0:
		header.Typeflag = tar.TypeReg
	case kind == fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, inside+"/"
	case kind == fs.ModeSymlink:
		header.Typeflag = tar.TypeSymlink
		header.Linkname, err = os.Readlink(path)
	case kind == fs.ModeNamedPipe:
		header.Typeflag = tar.TypeFifo
	case kind&fs.ModeCharDevice != 0, kind == fs.ModeDevice:
		header.Typeflag = tar.TypeBlock
		if kind&fs.ModeCharDevice != 0 {
			header.Typeflag = tar.TypeChar
		}
		header.Devmajor, header.Devminor = int64(unix.Major(stat.Rdev)), int64(unix.Minor(stat.Rdev))
	default:
		return nil, nil
	}
	return header, err
}

func writeFile(layer *tar.Writer, path string, header *tar.Header) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header.Size, header.ModTime = info.Size(), time.Unix(0, 0)
	if err := layer.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s: %w", header.Name, err)
	}
	if _, err := io.Copy(layer, f); err != nil {
		return fmt.Errorf("write %s: %w", header.Name, err)
	}
	return nil
}

func writeEntry(layer *tar.Writer, header *tar.Header, content string) error {
	header.Size, header.ModTime = int64(len(content)), time.Unix(0, 0)
	if err := layer.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s: %w", header.Name, err)
	}
	_, err := io.WriteString(layer, content)
	return err
}
