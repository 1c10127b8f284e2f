package probe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"

	"proa/node/cri"
)

// messageLimit is how much of an answer is kept for the event.
const messageLimit = 10 << 10

func (c *probed) exec(ctx context.Context, action *v1.ExecAction, timeout time.Duration) (answer, string, error) {
	command := c.expand(action.Command)
	stdout, stderr, code, err := c.probes.cfg.Exec(ctx, c.containerID, command, timeout)
	if status.Code(err) == codes.DeadlineExceeded {
		return failure, fmt.Sprintf("command timed out: %q timed out after %s", strings.Join(command, " "), timeout), nil
	}
	if err != nil {
		return 0, "", err
	}
	output := string(append(stdout, stderr...))
	if len(output) > messageLimit {
		output = output[:messageLimit]
	}
	if code != 0 {
		return failure, output, nil
	}
	return success, output, nil
}

// expand knows only the variables that the spec spells out: those from elsewhere may have changed since the container started.
func (c *probed) expand(command []string) []string {
	var known []cri.Variable
	for _, e := range c.spec.Env {
		if e.ValueFrom == nil {
			known = append(known, cri.Variable{Name: e.Name, Value: cri.Expander(known)(e.Value)})
		}
	}
	expander := cri.Expander(known)
	expanded := make([]string, len(command))
	for i, word := range command {
		expanded[i] = expander(word)
	}
	return expanded
}
