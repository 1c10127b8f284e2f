package podspec

import "strings"

// The kernel namespaces that a sysctl may belong to; "" is none, or none that is known.
const (
	NetworkSysctl = "Net"
	IPCSysctl     = "IPC"
)

// SysctlNamespace says which namespace of a pod holds a sysctl, named with dots or slashes.
func SysctlNamespace(name string) string {
	name = NormalizeSysctl(name)
	switch {
	case strings.HasPrefix(name, "net."):
		return NetworkSysctl
	case strings.HasPrefix(name, "fs.mqueue."):
		return IPCSysctl
	}
	switch name {
	case "kernel.sem", "kernel.shm", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
		"kernel.msg", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni":
		return IPCSysctl
	}
	return ""
}

// NormalizeSysctl writes a name with dots between its parts; in "net/ipv4/conf/eth0.1/x" the dot belongs to a part, and
// becomes a slash.
func NormalizeSysctl(name string) string {
	first := strings.IndexAny(name, "./")
	if first < 0 || name[first] == '.' {
		return name
	}
	return strings.NewReplacer("/", ".", ".", "/").Replace(name)
}

// IsSafeSysctl: any pod may set it, because it is namespaced and cannot hurt others. It is what upstream's nodes allow
// by default.
func IsSafeSysctl(name string) bool {
	switch NormalizeSysctl(name) {
	case "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
		"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
		"net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem":
		return true
	}
	return false
}
