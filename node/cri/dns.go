package cri

import (
	"os"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The resolver library takes no more than this; see the API's validation.
const (
	maxNameservers     = 3
	maxSearchPaths     = 32
	maxSearchListChars = 2048
	maxSearchPath      = 253
)

// dns is the resolver configuration of a pod: the cluster's, the host's, or none, with the pod's own additions.
func (s *Settings) dns(p *v1.Pod) (*runtimeapi.DNSConfig, error) {
	config, err := s.hostDNS()
	if err != nil {
		return nil, err
	}
	cluster := p.Spec.DNSPolicy == v1.DNSClusterFirstWithHostNet || p.Spec.DNSPolicy == v1.DNSClusterFirst && !p.Spec.HostNetwork
	switch {
	case p.Spec.DNSPolicy == v1.DNSNone:
		config = &runtimeapi.DNSConfig{}
	case cluster && len(s.ClusterDNS) > 0:
		config.Servers = slices.Clone(s.ClusterDNS)
		own := []string{p.Namespace + ".svc." + s.ClusterDomain, "svc." + s.ClusterDomain, s.ClusterDomain}
		config.Searches = unique(append(own, config.Searches...))
		config.Options = []string{"ndots:5"}
	}
	if own := p.Spec.DNSConfig; own != nil {
		config.Servers = unique(append(config.Servers, own.Nameservers...))
		config.Searches = unique(append(config.Searches, own.Searches...))
		config.Options = mergeOptions(config.Options, own.Options)
	}
	config.Servers = config.Servers[:min(len(config.Servers), maxNameservers)]
	config.Searches = limitSearches(config.Searches)
	return config, nil
}

func limitSearches(searches []string) []string {
	searches = slices.DeleteFunc(slices.Clone(searches), func(s string) bool { return len(s) > maxSearchPath })
	searches = searches[:min(len(searches), maxSearchPaths)]
	for len(strings.Join(searches, " ")) > maxSearchListChars {
		searches = searches[:len(searches)-1]
	}
	return searches
}

func (s *Settings) hostDNS() (*runtimeapi.DNSConfig, error) {
	config := &runtimeapi.DNSConfig{}
	if s.ResolvConf == "" {
		return config, nil
	}
	text, err := os.ReadFile(s.ResolvConf)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			config.Servers = append(config.Servers, fields[1])
		case "search": // the last one counts
			config.Searches = nil
			for _, search := range fields[1:] {
				if search != "." {
					config.Searches = append(config.Searches, strings.TrimSuffix(search, "."))
				}
			}
		case "options":
			config.Options = append(config.Options, fields[1:]...)
		}
	}
	return config, nil
}

// mergeOptions lets the pod's options replace those of the same name.
func mergeOptions(base []string, own []v1.PodDNSConfigOption) []string {
	for _, o := range own {
		text := o.Name
		if o.Value != nil && *o.Value != "" {
			text += ":" + *o.Value
		}
		same := func(b string) bool { name, _, _ := strings.Cut(b, ":"); return name == o.Name }
		if i := slices.IndexFunc(base, same); i >= 0 {
			base = slices.Clone(base)
			base[i] = text
			continue
		}
		base = append(base, text)
	}
	return base
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
