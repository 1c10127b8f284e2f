package pki

import (
	"fmt"
	"os"
	"path/filepath"

	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// WriteKubeconfig writes a kubeconfig that asks the API at server (an https URL) as the leaf's subject. The file holds the
// key, so it is readable by its owner only. It is left alone when it already says the same.
func (p *PKI) WriteKubeconfig(path, server string, as *Leaf) error {
	data, err := p.Kubeconfig(server, as)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return writeFile(path, data, 0o600, false)
}

// Kubeconfig is what WriteKubeconfig writes.
func (p *PKI) Kubeconfig(server string, as *Leaf) ([]byte, error) {
	cert, key := as.PEM()
	user := as.Certificate().Subject.CommonName
	data, err := yaml.Marshal(clientcmdv1.Config{
		Kind: "Config", APIVersion: "v1", CurrentContext: clusterName,
		Clusters: []clientcmdv1.NamedCluster{{Name: clusterName, Cluster: clientcmdv1.Cluster{
			Server: server, CertificateAuthorityData: p.CA()}}},
		Contexts: []clientcmdv1.NamedContext{{Name: clusterName, Context: clientcmdv1.Context{
			Cluster: clusterName, AuthInfo: user}}},
		AuthInfos: []clientcmdv1.NamedAuthInfo{{Name: user, AuthInfo: clientcmdv1.AuthInfo{
			ClientCertificateData: cert, ClientKeyData: key}}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return data, nil
}

// clusterName is what kubeconfig files call the cluster and its context.
const clusterName = "proa"
