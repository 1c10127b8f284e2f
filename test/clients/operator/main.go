// Command operator is what users of controller-runtime write: it keeps a kind of its own, Fleet, with everything that such a
// program has. Several of it may run: one leads. Its cache follows fleets and what they own; the reconciler makes a ConfigMap
// and a Deployment of a fleet, tells in its status how far it is, and writes into a logbook before a fleet goes. With an address
// for webhooks it completes and checks fleets as they are written.
//
// When the API is away it waits; when it cannot renew its lease in time it ends, as controller-runtime does, and another leads.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

func main() {
	// The flag -kubeconfig is controller-runtime's.
	address := flag.String("webhooks", "", "HOST:PORT where the webhooks are served; empty: they are not")
	certificates := flag.String("webhook-certificates", "", "folder with tls.crt and tls.key of the webhooks")
	flag.Parse()
	if err := run(*address, *certificates); err != nil {
		fmt.Fprintln(os.Stderr, "operator: "+err.Error())
		os.Exit(1)
	}
}

func run(address, certificates string) error {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), addFleets(scheme)); err != nil {
		return fmt.Errorf("make scheme: %w", err)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	// Shorter than usual, so that a story need not wait long, and longer than a restart of the API takes.
	lease, renew, retry := 8*time.Second, 6*time.Second, 500*time.Millisecond
	options := ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "fleets.sea.example", LeaderElectionNamespace: "default",
		LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &retry,
	}
	if address != "" {
		host, text, err := net.SplitHostPort(address)
		port, bad := strconv.Atoi(text)
		if err := errors.Join(err, bad); err != nil {
			return fmt.Errorf("read -webhooks: %w", err)
		}
		options.WebhookServer = webhook.NewServer(webhook.Options{Host: host, Port: port, CertDir: certificates})
	}
	manager, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("make manager: %w", err)
	}
	r := &reconciler{client: manager.GetClient(), events: manager.GetEventRecorder("fleets")}
	if err := r.add(manager); err != nil {
		return fmt.Errorf("add reconciler: %w", err)
	}
	if address != "" {
		if err := ctrl.NewWebhookManagedBy(manager, &Fleet{}).WithDefaulter(completer{}).WithValidator(checker{}).Complete(); err != nil {
			return fmt.Errorf("add webhooks: %w", err)
		}
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
