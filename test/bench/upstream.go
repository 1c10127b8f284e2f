package main

import (
	"context"
	"errors"
	"time"

	"proa/test/kubeapi"
)

// measureUpstream loads upstream's API server and its etcd. No controller and no scheduler run, which is to their advantage:
// Proa's do.
func measureUpstream(ctx context.Context, o options, out report) error {
	audit, err := auditFlags(o)
	if err != nil {
		return err
	}
	begin := time.Now()
	upstream, err := kubeapi.StartServer(ctx, kubeapi.Options{Programs: o.upstream, Dir: o.work, EtcdPort: 2379, PeerPort: 2380, Port: 6443,
		// Fair queueing would hold back a load of one user; goals.md's yardstick lifts limits.
		Flags: append(audit, "--max-requests-inflight", "3000", "--max-mutating-requests-inflight", "1000")})
	if err != nil {
		return err
	}
	out("upstream.boot", time.Since(begin).Seconds())
	time.Sleep(2 * time.Second)
	c, err := newClient(upstream.Kubeconfig)
	if err == nil {
		var run *apiRun
		if run, err = newAPIRun(ctx, c, upstream.Pids(), "upstream.", out); err == nil {
			err = run.run(ctx)
		}
	}
	return errors.Join(upstream.Why(err), upstream.Stop())
}
