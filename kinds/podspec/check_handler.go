package podspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// handlers are the ways to probe a container or to tell it something; exactly one is set.
type handlers struct {
	exec  *corev1.ExecAction
	http  *corev1.HTTPGetAction
	tcp   *corev1.TCPSocketAction
	grpc  *corev1.GRPCAction
	sleep *corev1.SleepAction
}

func probeHandlers(p *corev1.Probe) handlers {
	return handlers{exec: p.Exec, http: p.HTTPGet, tcp: p.TCPSocket, grpc: p.GRPC}
}

func lifecycleHandlers(l *corev1.LifecycleHandler) handlers {
	return handlers{exec: l.Exec, http: l.HTTPGet, tcp: l.TCPSocket, sleep: l.Sleep}
}

func (c *checker) checkProbes(path *field.Path, container *corev1.Container) {
	if p := container.LivenessProbe; p != nil {
		c.checkProbe(path.Child("livenessProbe"), p)
		c.checkSuccessOnce(path.Child("livenessProbe"), p)
	}
	if p := container.ReadinessProbe; p != nil {
		c.checkProbe(path.Child("readinessProbe"), p)
		if p.TerminationGracePeriodSeconds != nil {
			c.invalid(path.Child("readinessProbe", "terminationGracePeriodSeconds"), p.TerminationGracePeriodSeconds, "must not be set for readinessProbes")
		}
	}
	if p := container.StartupProbe; p != nil {
		c.checkProbe(path.Child("startupProbe"), p)
		c.checkSuccessOnce(path.Child("startupProbe"), p)
	}
}

// checkSuccessOnce: a container that lives needs no second proof.
func (c *checker) checkSuccessOnce(path *field.Path, p *corev1.Probe) {
	if p.SuccessThreshold != 1 {
		c.invalid(path.Child("successThreshold"), p.SuccessThreshold, "must be 1")
	}
}

func (c *checker) checkProbe(path *field.Path, p *corev1.Probe) {
	c.checkHandler(path, probeHandlers(p))
	c.notNegative(path.Child("initialDelaySeconds"), int64(p.InitialDelaySeconds))
	c.notNegative(path.Child("timeoutSeconds"), int64(p.TimeoutSeconds))
	c.notNegative(path.Child("periodSeconds"), int64(p.PeriodSeconds))
	c.notNegative(path.Child("successThreshold"), int64(p.SuccessThreshold))
	c.notNegative(path.Child("failureThreshold"), int64(p.FailureThreshold))
	if s := p.TerminationGracePeriodSeconds; s != nil && *s <= 0 {
		c.invalid(path.Child("terminationGracePeriodSeconds"), *s, "must be greater than 0")
	}
}

func (c *checker) notNegative(path *field.Path, value int64) {
	c.addAll(validation.ValidateNonnegativeField(value, path))
}

func (c *checker) checkHandler(path *field.Path, h handlers) {
	count := 0
	// first says whether the handler is the only one so far; a second one is refused and not looked at.
	first := func(set bool, name string) bool {
		if !set {
			return false
		}
		count++
		c.forbidIf(count > 1, path.Child(name), "may not specify more than 1 handler type")
		return count == 1
	}
	if first(h.exec != nil, "exec") && len(h.exec.Command) == 0 {
		c.required(path.Child("exec", "command"), "")
	}
	if first(h.http != nil, "httpGet") {
		c.checkHTTPGet(path.Child("httpGet"), h.http)
	}
	if first(h.tcp != nil, "tcpSocket") {
		c.addAll(meta.PortNumberOrName(path.Child("tcpSocket", "port"), h.tcp.Port))
	}
	if first(h.grpc != nil, "grpc") {
		at := path.Child("grpc", "port")
		c.each(at, int(h.grpc.Port), utilvalidation.IsValidPortNum(int(h.grpc.Port)))
	}
	if first(h.sleep != nil, "sleep") {
		if limit := c.spec.TerminationGracePeriodSeconds; limit != nil && (h.sleep.Seconds < 0 || h.sleep.Seconds > *limit) {
			c.invalid(path.Child("sleep"), h.sleep.Seconds, fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *limit))
		}
	}
	if count == 0 {
		c.required(path, "must specify a handler type")
	}
}

func (c *checker) checkHTTPGet(path *field.Path, get *corev1.HTTPGetAction) {
	c.notEmpty(path.Child("path"), get.Path)
	c.addAll(meta.PortNumberOrName(path.Child("port"), get.Port))
	oneOf(c, path.Child("scheme"), get.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)
	for _, header := range get.HTTPHeaders {
		c.each(path.Child("httpHeaders"), header.Name, utilvalidation.IsHTTPHeaderName(header.Name))
	}
}
