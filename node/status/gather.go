package status

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const arch = runtime.GOARCH

// Machine is what the host offers. Sizes are in bytes.
type Machine struct {
	CPUs                                           int
	Memory, Disk                                   int64
	HugePages                                      map[int64]int64 // pages by page size
	MachineID, SystemUUID, BootID, Kernel, OSImage string
}

// askTimeout bounds a question to the runtime: one that hangs is down.
const askTimeout = 5 * time.Second

func (r *Reporter) gather(ctx context.Context) Facts {
	f := Facts{
		NodeName: r.NodeName, IPs: r.IPs, Port: r.Port, Version: r.Version, Reserved: r.Reserved, MaxPods: r.MaxPods, Machine: ReadMachine(r.RootDir),
		Headroom: r.Headroom,
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var err error
	if f.Runtime, err = r.Runtime.Info(ctx); err == nil {
		f.Images, err = r.Runtime.ListImages(ctx)
	}
	if err != nil {
		f.RuntimeDown = err.Error()
	}
	if r.Pressure != nil {
		f.Pressure = r.Pressure()
	}
	if r.NotReady != nil {
		f.NotReady = r.NotReady()
	}
	return f
}

// ReadMachine reads what the host is. What cannot be read stays zero.
func ReadMachine(dir string) Machine {
	m := Machine{CPUs: runtime.NumCPU(), HugePages: map[int64]int64{}}
	memory := fields("/proc/meminfo", ":")
	m.Memory = kilobytes(memory["MemTotal"])
	var fs unix.Statfs_t
	for unix.Statfs(dir, &fs) == unix.ENOENT && dir != "/" && dir != "." {
		dir = filepath.Dir(dir) // it is made later, on the file system of its parent
	}
	m.Disk = int64(fs.Blocks) * fs.Bsize
	pools, _ := filepath.Glob("/sys/kernel/mm/hugepages/hugepages-*kB")
	for _, pool := range pools {
		size := number(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(pool), "hugepages-"), "kB"))
		m.HugePages[size<<10] = number(text(filepath.Join(pool, "nr_hugepages")))
	}
	m.MachineID, m.BootID = text("/etc/machine-id"), text("/proc/sys/kernel/random/boot_id")
	if m.SystemUUID = text("/sys/class/dmi/id/product_uuid"); m.SystemUUID == "" {
		m.SystemUUID = m.MachineID
	}
	m.Kernel = text("/proc/sys/kernel/osrelease")
	m.OSImage = strings.Trim(fields("/etc/os-release", "=")["PRETTY_NAME"], `"`)
	return m
}

func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// fields reads a file of lines such as "key: value".
func fields(path, separator string) map[string]string {
	all := map[string]string{}
	f, err := os.Open(path)
	if err != nil {
		return all
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), separator); ok {
			all[key] = strings.TrimSpace(value)
		}
	}
	return all
}

func kilobytes(s string) int64 { return number(strings.TrimSuffix(s, " kB")) << 10 }

func number(s string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n
}
