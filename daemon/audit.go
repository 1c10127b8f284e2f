package daemon

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"proa/apiserver/audit"
)

// AuditConfig says what is written down of requests, and where to. The fields are named after upstream's flags.
type AuditConfig struct {
	PolicyFile string

	LogPath      string // "-" is the standard output
	LogMode      string // batch, blocking or blocking-strict; empty: blocking
	LogMaxAge    int    // days
	LogMaxBackup int
	LogMaxSize   int // MiB

	WebhookConfigFile   string
	WebhookMode         string // empty: batch
	WebhookBufferSize   int
	WebhookMaxSize      int
	WebhookMaxWait      time.Duration
	WebhookInitialDelay time.Duration
}

// check says what is wrong with the flags.
func (a *AuditConfig) check() error {
	var wrong []error
	for flag, mode := range map[string]string{"--audit-log-mode": a.LogMode, "--audit-webhook-mode": a.WebhookMode} {
		switch mode {
		case "", "batch", "blocking", "blocking-strict":
		default:
			wrong = append(wrong, fmt.Errorf("%s %q: give batch, blocking or blocking-strict", flag, mode))
		}
	}
	for flag, n := range map[string]int{"--audit-log-maxage": a.LogMaxAge, "--audit-log-maxbackup": a.LogMaxBackup, "--audit-log-maxsize": a.LogMaxSize} {
		if n < 0 {
			wrong = append(wrong, fmt.Errorf("%s %v can't be a negative number", flag, n))
		}
	}
	if a.PolicyFile != "" && a.LogPath == "" && a.WebhookConfigFile == "" {
		wrong = append(wrong, errors.New("--audit-policy-file says what to keep, and nothing says where: give --audit-log-path or --audit-webhook-config-file"))
	}
	return errors.Join(wrong...)
}

// openAudit makes the auditor that the flags ask for, or nil.
func openAudit(a *AuditConfig, scheme *runtime.Scheme) (*audit.Auditor, error) {
	if a.PolicyFile == "" {
		return nil, nil
	}
	policy, err := audit.LoadPolicy(a.PolicyFile)
	if err != nil {
		return nil, err
	}
	var sinks []audit.Sink
	if a.LogPath != "" {
		const day = 24 * time.Hour
		file, err := audit.NewFile(audit.FileConfig{Path: a.LogPath, MaxSize: int64(a.LogMaxSize) << 20, MaxAge: time.Duration(a.LogMaxAge) * day, MaxBackups: a.LogMaxBackup})
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, buffered(file, a.LogMode == "batch", audit.BatchConfig{Size: 1, Clock: clock.RealClock{}}))
	}
	if a.WebhookConfigFile != "" {
		hook, err := auditWebhook(a)
		if err != nil {
			return nil, fmt.Errorf("set up audit webhook of %s: %w", a.WebhookConfigFile, err)
		}
		sinks = append(sinks, buffered(hook, a.WebhookMode == "" || a.WebhookMode == "batch", audit.BatchConfig{
			Buffer: a.WebhookBufferSize, Size: a.WebhookMaxSize, Wait: a.WebhookMaxWait, Clock: clock.RealClock{}}))
	}
	return audit.New(audit.Config{Policy: policy, Sinks: sinks, Scheme: scheme})
}

func buffered(to audit.Sink, batch bool, c audit.BatchConfig) audit.Sink {
	if batch {
		return audit.NewBatch(to, c)
	}
	return to
}

// auditWebhook reads the kubeconfig that names the other side.
func auditWebhook(a *AuditConfig) (audit.Sink, error) {
	config, err := clientcmd.BuildConfigFromFlags("", a.WebhookConfigFile)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return audit.NewWebhook(audit.WebhookConfig{URL: config.Host, Client: client, Delay: a.WebhookInitialDelay, Clock: clock.RealClock{}})
}
