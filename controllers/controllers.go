// Package controllers lists the controllers of a cluster, each of which has a folder here.
//
// It decides nothing and owns nothing; daemon hands the list to the controller host.
package controllers

import (
	"cmp"
	"time"

	"proa/controllers/admissionpolicy"
	"proa/controllers/apiservice"
	"proa/controllers/bootstraptoken"
	"proa/controllers/certificate"
	"proa/controllers/cronjob"
	"proa/controllers/customresource"
	"proa/controllers/daemonset"
	"proa/controllers/deployment"
	"proa/controllers/disruption"
	"proa/controllers/endpoints"
	"proa/controllers/endpointslice"
	"proa/controllers/endpointslicemirroring"
	"proa/controllers/ephemeralvolume"
	"proa/controllers/flowcontrol"
	"proa/controllers/garbagecollector"
	"proa/controllers/horizontalpodautoscaler"
	"proa/controllers/ipaddress"
	"proa/controllers/job"
	"proa/controllers/loadbalancer"
	"proa/controllers/localvolume"
	"proa/controllers/namespace"
	"proa/controllers/nodelifecycle"
	"proa/controllers/podgc"
	"proa/controllers/replicaset"
	"proa/controllers/replicationcontroller"
	"proa/controllers/resourceclaim"
	"proa/controllers/resourcequota"
	"proa/controllers/rootca"
	"proa/controllers/serviceaccount"
	"proa/controllers/servicecidr"
	"proa/controllers/statefulset"
	"proa/controllers/tainteviction"
	"proa/controllers/ttlafterfinished"
	"proa/controllers/volumebinding"
	"proa/controllers/volumeprotection"
	"proa/kinds"
	"proa/reconcile"
)

// Config is what controllers need to know of the cluster.
type Config struct {
	Kinds  *kinds.Table                  // Required.
	RootCA []byte                        // PEM, published in every namespace. Required.
	Trust  rootca.Trust                  // published for aggregated API servers. Required.
	Taken  map[loadbalancer.Port]string  // ports of the nodes that serve the cluster itself. Optional.
	Edge   string                        // the front door's address. Required.
	Sign   certificate.Sign              // signs as the cluster's authority. Required.
	Token  serviceaccount.Sign           // makes the tokens that Secrets hold. Required.
	Usage  horizontalpodautoscaler.Usage // what pods use. Required.
	Check  apiservice.Check              // whether an aggregated API server answers. Required.
	// CheckPolicy finds what policies say wrongly of kinds. Required.
	CheckPolicy admissionpolicy.Check
	// Elsewhere deletes what aggregated API servers keep in a namespace. Optional: there are none.
	Elsewhere namespace.Elsewhere
	// OwnerElsewhere looks up owners that they keep. Optional, too.
	OwnerElsewhere garbagecollector.Elsewhere
	// NodeGrace is how long a node may be silent until it counts as lost. Optional: upstream's.
	NodeGrace time.Duration
	// DownWindow is how long autoscalers that do not say it wait before they scale down. Optional: upstream's.
	DownWindow time.Duration
}

// All lists every controller of a cluster.
func All(config Config) []reconcile.Controller {
	return []reconcile.Controller{
		customresource.New(config.Kinds),
		namespace.New(config.Kinds, config.Elsewhere),
		serviceaccount.New(),
		serviceaccount.NewTokens(config.Token, config.RootCA),
		serviceaccount.NewTracker(),
		serviceaccount.NewLegacyCleaner(),
		rootca.New(config.RootCA),
		rootca.NewTrust(config.Trust),
		certificate.NewApprover(certificate.Ask),
		certificate.NewSigner(config.Sign),
		certificate.NewCleaner(),
		bootstraptoken.NewCleaner(),
		bootstraptoken.NewSigner(),
		flowcontrol.New(),

		apiservice.New(config.Check),
		apiservice.NewRegistrar(),
		admissionpolicy.New(config.CheckPolicy),

		deployment.New(),
		replicaset.New(),
		replicationcontroller.New(),
		daemonset.New(),
		statefulset.New(),
		job.New(),
		cronjob.New(),
		ttlafterfinished.New(),
		disruption.New(),
		horizontalpodautoscaler.New(config.Kinds, config.Usage, cmp.Or(config.DownWindow, horizontalpodautoscaler.DefaultDownWindow)),
		resourcequota.New(config.Kinds),

		resourceclaim.NewMaker(),
		resourceclaim.NewEnder(),

		ephemeralvolume.New(),
		volumebinding.New(),
		localvolume.New(),
		volumeprotection.NewClaims(),
		volumeprotection.NewVolumes(),

		endpointslice.New(),
		endpointslicemirroring.New(),
		endpoints.New(),
		servicecidr.New(),
		ipaddress.New(),
		loadbalancer.New(config.Taken),
		loadbalancer.NewIngresses(config.Edge),

		garbagecollector.New(config.Kinds, config.OwnerElsewhere),
		podgc.New(podgc.DefaultThreshold),

		nodelifecycle.New(cmp.Or(config.NodeGrace, nodelifecycle.DefaultGrace)),
		tainteviction.New(),
	}
}
