package podnet

import (
	"encoding/json"
	"fmt"

	"proa/network/podnet/plugin/wire"
)

// PluginName is the file name of the plugin, and the type that the CNI configuration names.
const PluginName = "proa-cni"

// Conflist is the CNI configuration that makes a runtime call our plugin, which reaches the agent at socket.
func Conflist(socket string) ([]byte, error) {
	b, err := json.MarshalIndent(map[string]any{
		"cniVersion": wire.Version,
		"name":       "proa",
		"plugins":    []any{map[string]any{"type": PluginName, "socket": socket}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode CNI configuration: %w", err)
	}
	return append(b, '\n'), nil
}
