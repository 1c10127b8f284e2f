package daemon

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/kinds/core"
)

// tokenUsed writes down on what day somebody last came with the token of a Secret. The request goes on if that fails.
func (c *control) tokenUsed(ctx context.Context, secret *corev1.Secret, day string) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": secret.UID, "labels": map[string]string{core.LastUsed: day}}})
	if err == nil {
		_, err = c.as(systemUser, "system:masters").Patch(ctx, client.RefOf("secrets", secret), "", types.MergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		c.cfg.Log.Warn("the use of a token could not be written down", "secret", secret.Namespace+"/"+secret.Name, "err", err)
	}
}
