// Package wire is what the CNI plugin and the agent say to each other. It imports little, since the plugin is started
// for every pod and its start is part of the pod's.
package wire

import "encoding/json"

// Version is the CNI version of configuration, results and errors.
const Version = "1.0.0"

// Call is one invocation of the plugin, see https://www.cni.dev/docs/spec/#parameters.
type Call struct {
	Command     string `json:"command"`
	ContainerID string `json:"containerID"`
	Netns       string `json:"netns"`
	IfName      string `json:"ifName"`
}

// Answer is the plugin's exit code and what it prints.
type Answer struct {
	Code   int             `json:"code"`
	Output json.RawMessage `json:"output,omitempty"`
}

// Error is what a failing plugin prints.
func Error(code int, msg string) json.RawMessage {
	b, err := json.Marshal(map[string]any{"cniVersion": Version, "code": code, "msg": msg})
	if err != nil {
		panic(err) // a map of strings and numbers always encodes
	}
	return b
}
