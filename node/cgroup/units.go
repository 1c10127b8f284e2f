package cgroup

// QuotaPeriod is the scheduler's period in microseconds that quotas refer to.
const QuotaPeriod = 100000

const (
	minShares = 2
	maxShares = 262144
	minQuota  = 1000
)

// Shares are the cgroup v1 cpu.shares of a request in thousandths of a CPU; none means the kernel's least.
func Shares(milliCPU int64) uint64 {
	return uint64(min(max(milliCPU*1024/1000, minShares), maxShares))
}

// Quota is the time in microseconds per QuotaPeriod of a limit in thousandths of a CPU; 0 means no limit.
func Quota(milliCPU int64) int64 {
	if milliCPU == 0 {
		return 0
	}
	return max(milliCPU*QuotaPeriod/1000, minQuota)
}
