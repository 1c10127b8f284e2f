package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// privateMemory sums the private memory (RssAnon) of processes, in MiB.
func privateMemory(pids ...int) (float64, error) {
	var kib int
	for _, pid := range pids {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		_, rest, found := strings.Cut(string(content), "RssAnon:")
		if !found {
			return 0, fmt.Errorf("read memory: process %d has no RssAnon", pid)
		}
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		kib += n
	}
	return float64(kib) / 1024, nil
}

// ticksPerSecond is the kernel's USER_HZ, the same on all of Linux's architectures that we run on.
const ticksPerSecond = 100

// cpuTime is the time that processes have computed for, without their children.
func cpuTime(pids ...int) (time.Duration, error) {
	var ticks int
	for _, pid := range pids {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		// The second field is a name in parentheses that may hold anything; utime and stime are the 14th and 15th.
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				return 0, fmt.Errorf("read CPU time: %w", err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// named finds the processes of these namespaces whose program's name begins with prefix.
func named(prefix string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/exe") // the pattern is well formed
	var pids []int
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(filepath.Base(target), prefix) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
