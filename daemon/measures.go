package daemon

import (
	"proa/apiserver/discovery"
	"proa/internal/measure"
)

// measures lists what the parts of the control plane have counted.
func (c *control) measures() []measure.Family {
	all := append(c.api.Measures(), c.aggregator.Measures()...)
	all = append(append(all, c.hooks.Measures()...), c.certificates.Measures()...)
	if c.host != nil {
		all = append(all, c.host.Measures()...)
	}
	v := discovery.VersionInfo(c.cfg.Commit, c.cfg.BuildDate)
	build := measure.Family{Name: "kubernetes_build_info", Help: "Which release's API is served, and by what", Type: measure.Gauge,
		Labels: []string{"major", "minor", "git_version", "git_commit", "git_tree_state", "build_date", "go_version", "compiler", "platform"}}
	build.Add(1, v.Major, v.Minor, v.GitVersion, v.GitCommit, v.GitTreeState, v.BuildDate, v.GoVersion, v.Compiler, v.Platform)
	return append(all, build)
}
