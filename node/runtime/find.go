package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Programs are the absolute paths of the bundle's parts. Ctr is "" when it is missing: only importing images needs it.
type Programs struct {
	Containerd, Shim, Runc, Ctr string
	// Versions holds what each program said about itself, by file name.
	Versions map[string]string
}

// part is one program that the runtime consists of.
type part struct {
	name     string
	path     func(*Programs) *string
	flag     string // prints the version
	minimum  [3]int
	optional bool
}

// parts lists what is looked for. Minimums: 2.1 is the first containerd with image volumes; runc 1.2 the first with
// idmapped mounts and the mounts that containerd 2 asks for.
var parts = [...]part{
	{"containerd", func(p *Programs) *string { return &p.Containerd }, "--version", [3]int{2, 1, 0}, false},
	{"containerd-shim-runc-v2", func(p *Programs) *string { return &p.Shim }, "-v", [3]int{2, 1, 0}, false},
	{"runc", func(p *Programs) *string { return &p.Runc }, "--version", [3]int{1, 2, 0}, false},
	{"ctr", func(p *Programs) *string { return &p.Ctr }, "--version", [3]int{2, 1, 0}, true},
}

// Find looks for every part in the bundle directory, then on PATH, and checks the versions. Its error has one line per part.
func Find(ctx context.Context, bundleDir string) (Programs, error) {
	programs, _, err := find(ctx, bundleDir, nil)
	return programs, err
}

// find is Find with a memory: a program that is the same file as before is not asked again, which makes up most of the time
// that a start takes. It returns what to remember.
func find(ctx context.Context, bundleDir string, known map[string]string) (Programs, map[string]string, error) {
	found := Programs{Versions: map[string]string{}}
	versions, errs := make([]string, len(parts)), make([]error, len(parts))
	var group sync.WaitGroup
	for i, p := range parts {
		group.Go(func() { *p.path(&found), versions[i], errs[i] = p.find(ctx, bundleDir, known) })
	}
	group.Wait()
	learned := map[string]string{}
	for i, p := range parts {
		if versions[i] != "" {
			found.Versions[p.name] = versions[i]
			learned[identity(*p.path(&found))] = versions[i]
		}
	}
	return found, learned, errors.Join(errs...)
}

func (p part) find(ctx context.Context, bundleDir string, known map[string]string) (path, version string, err error) {
	path = p.look(bundleDir)
	if path == "" {
		if p.optional {
			return "", "", nil
		}
		return "", "", fmt.Errorf("find %s: not in %q and not on PATH; version %s or newer is needed: `make bundle` builds it",
			p.name, bundleDir, dotted(p.minimum))
	}
	version = known[identity(path)]
	if version == "" {
		version, err = askVersion(ctx, path, p.flag)
	}
	if err != nil {
		return "", "", fmt.Errorf("find %s: %s does not tell its version: %w; `make bundle` builds one that works", p.name, path, err)
	}
	if older(version, p.minimum) {
		return "", "", fmt.Errorf("find %s: %s has version %s, %s or newer is needed: `make bundle` builds it",
			p.name, path, version, dotted(p.minimum))
	}
	return path, version, nil
}

func (p part) look(bundleDir string) string {
	if bundleDir != "" {
		path := filepath.Join(bundleDir, p.name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			if absolute, err := filepath.Abs(path); err == nil {
				return absolute
			}
		}
	}
	path, err := exec.LookPath(p.name)
	if err != nil {
		return ""
	}
	return path
}

// identity changes with the file.
func identity(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	return fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())
}

var versionPattern = regexp.MustCompile(`\bv?(\d+)\.(\d+)\.(\d+)\S*`)

func askVersion(ctx context.Context, path, flag string) (string, error) {
	out, err := exec.CommandContext(ctx, path, flag).Output()
	if err != nil {
		return "", err
	}
	version := versionPattern.FindString(string(out))
	if version == "" {
		return "", fmt.Errorf("no version in %q", firstLine(string(out)))
	}
	return strings.TrimPrefix(version, "v"), nil
}

// older compares the numbers only: a pre-release counts as its release.
func older(version string, minimum [3]int) bool {
	numbers := versionPattern.FindStringSubmatch(version)
	for i, want := range minimum {
		got, err := strconv.Atoi(numbers[i+1])
		if err != nil || got != want {
			return err != nil || got < want
		}
	}
	return false
}

func dotted(version [3]int) string {
	return fmt.Sprintf("%d.%d.%d", version[0], version[1], version[2])
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
