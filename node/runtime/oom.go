package runtime

import (
	"os"
	"strconv"
	"strings"
)

// canLowerOOMScore tries what containerd would do for every pod: lowering oom_score_adj needs CAP_SYS_RESOURCE in the
// initial user namespace, which no capability list tells reliably. The old value is put back, which is always allowed.
func canLowerOOMScore(file string) bool {
	old, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(old)))
	if err != nil || score <= -999 {
		return err == nil
	}
	// Opened without O_CREATE: the file is the kernel's.
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if _, err := f.WriteString("-999"); err != nil {
		return false
	}
	restore, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	defer restore.Close()
	_, err = restore.WriteString(strconv.Itoa(score))
	return err == nil
}
