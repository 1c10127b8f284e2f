// The etcd that stands behind the real kube-apiserver, and in the image that the suite starts.
module proa/test/upstream/etcd

go 1.25.0

require go.etcd.io/etcd/server/v3 v3.6.14
require github.com/gorilla/websocket v1.5.3
