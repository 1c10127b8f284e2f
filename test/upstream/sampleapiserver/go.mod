// The API server that the suite aggregates. Its own go.mod names an etcd client that is too old for it.
module proa/test/upstream/sampleapiserver

go 1.26.0

require k8s.io/sample-apiserver v0.36.4

require go.etcd.io/etcd/client/pkg/v3 v3.6.9
