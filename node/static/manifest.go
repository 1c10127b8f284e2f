package static

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"proa/kinds/podspec"
	"proa/node/pod"
)

// parse reads the pods of one file, YAML or JSON: a Pod, or a List of them.
func parse(file string, content []byte, node string) ([]*v1.Pod, error) {
	var what struct {
		APIVersion, Kind string
		Items            []json.RawMessage
	}
	text, err := yaml.YAMLToJSON(content)
	if err == nil {
		err = json.Unmarshal(text, &what)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", file, err)
	}
	items := what.Items
	switch {
	case what.APIVersion != "v1":
		return nil, fmt.Errorf("read manifest %s: apiVersion is %q, but a node runs only pods, which are v1", file, what.APIVersion)
	case what.Kind == "Pod":
		items = []json.RawMessage{text}
	case what.Kind != "PodList" && what.Kind != "List":
		return nil, fmt.Errorf("read manifest %s: kind is %q, but a node runs only a Pod or a PodList", file, what.Kind)
	}
	var pods []*v1.Pod
	for _, item := range items {
		p := &v1.Pod{}
		if err := json.Unmarshal(item, p); err != nil {
			return nil, fmt.Errorf("read manifest %s: %w", file, err)
		}
		if err := own(p, file, node, item); err != nil {
			return nil, fmt.Errorf("read manifest %s: pod %q: %w", file, p.Name, err)
		}
		pods = append(pods, p)
	}
	return pods, nil
}

// own makes a pod the node's. Its uid follows from the file's name and content, so that the next agent finds it running, and a change
// makes another pod.
func own(p *v1.Pod, file, node string, content []byte) error {
	if p.Name == "" {
		return errors.New("name is needed for the pod")
	}
	if p.Namespace == "" {
		p.Namespace = v1.NamespaceDefault
	}
	if p.UID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", node, file, content))
		p.UID = types.UID(hex.EncodeToString(sum[:16]))
	}
	p.TypeMeta.Kind, p.TypeMeta.APIVersion, p.ResourceVersion = "", "", ""
	p.Name += "-" + strings.ToLower(node)
	p.Spec.NodeName, p.Status = node, v1.PodStatus{Phase: v1.PodPending}
	if p.Annotations == nil {
		p.Annotations = map[string]string{}
	}
	p.Annotations[pod.AnnotationHash], p.Annotations[pod.AnnotationSource] = string(p.UID), "file"
	// Trouble with the node is no reason for its own pods to go.
	p.Spec.Tolerations = append(p.Spec.Tolerations, v1.Toleration{Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute})
	podspec.DefaultPod(p)
	if errs := podspec.ValidatePod(p); len(errs) > 0 {
		return errs.ToAggregate()
	}
	if what := reference(p); what != "" {
		return fmt.Errorf("static pods may not reference %s", what)
	}
	return nil
}

// reference names what a pod would need of the API: it has to run without.
func reference(p *v1.Pod) string {
	names := map[podspec.ReferenceKind]string{
		podspec.Secret: "secrets", podspec.ConfigMap: "configmaps", podspec.PersistentVolumeClaim: "persistentvolumeclaims",
		podspec.ServiceAccount: "serviceaccounts", podspec.ResourceClaim: "resourceclaims", podspec.ResourceClaimTemplate: "resourceclaims",
	}
	for r := range podspec.References(p) {
		return names[r.Kind]
	}
	if len(p.Spec.ResourceClaims) > 0 {
		return "resourceclaims"
	}
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		switch {
		case v.CSI != nil:
			return "csidrivers (via CSI volumes)"
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				switch {
				case s.ServiceAccountToken != nil:
					return "serviceaccounts (via projected volumes)"
				case s.ClusterTrustBundle != nil:
					return "clustertrustbundles"
				case s.PodCertificate != nil:
					return "podcertificates"
				}
			}
		}
	}
	return ""
}
