package podspec_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"proa/kinds/podspec"
)

// typicalPod is what a deployment makes, with the token that admission adds.
const typicalPod = `
metadata: {name: web-5d4f8c7b9-abcde, namespace: default, labels: {app: web, pod-template-hash: 5d4f8c7b9}}
spec:
  serviceAccountName: default
  nodeName: n1
  tolerations:
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  containers:
  - name: web
    image: registry.example.com/web:1.2.3
    ports: [{containerPort: 8080, name: http}]
    env: [{name: A, value: b}, {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
    readinessProbe: {httpGet: {path: /, port: http}}
    volumeMounts: [{name: settings, mountPath: /etc/settings}, {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}]
  volumes:
  - {name: settings, configMap: {name: settings}}
  - name: token
    projected:
      sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
`

func BenchmarkValidatePod(b *testing.B) {
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(typicalPod), pod); err != nil {
		b.Fatal(err)
	}
	podspec.DefaultPod(pod)
	if errs := podspec.ValidatePod(pod); len(errs) > 0 {
		b.Fatal(errs)
	}
	b.ReportAllocs()
	for b.Loop() {
		podspec.ValidatePod(pod)
	}
}

func BenchmarkDefaultPod(b *testing.B) {
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(typicalPod), pod); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		podspec.DefaultPod(pod)
	}
}
