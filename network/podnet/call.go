package podnet

import (
	"encoding/json"
	"fmt"

	"proa/network/podnet/plugin/wire"
)

// Call and Answer are what the plugin and the agent exchange.
type (
	Call   = wire.Call
	Answer = wire.Answer
)

// Error codes of the CNI specification (https://www.cni.dev/docs/spec/#error).
const (
	codeTryLater   = 11
	codeBadCommand = 4
)

// cniResult is the result type of the CNI specification, version 1.0.0.
type cniResult struct {
	CNIVersion string         `json:"cniVersion"`
	Interfaces []cniInterface `json:"interfaces"`
	IPs        []cniIP        `json:"ips"`
	Routes     []cniRoute     `json:"routes"`
	DNS        struct{}       `json:"dns"`
}

type cniInterface struct {
	Name    string `json:"name"`
	Mac     string `json:"mac"`
	Sandbox string `json:"sandbox,omitempty"`
}

type cniIP struct {
	Interface int    `json:"interface"`
	Address   string `json:"address"`
	Gateway   string `json:"gateway"`
}

type cniRoute struct {
	Dst string `json:"dst"`
	GW  string `json:"gw"`
}

// answer carries out a call of the plugin.
func (n *Network) answer(call Call) Answer {
	switch call.Command {
	case "ADD":
		a, err := n.Attach(call.ContainerID, call.Netns, call.IfName)
		if err != nil {
			return failure(codeTryLater, err)
		}
		return success(result(a, call))
	case "DEL":
		if err := n.Detach(call.ContainerID); err != nil {
			return failure(codeTryLater, err)
		}
		return Answer{}
	case "CHECK", "STATUS", "GC":
		return Answer{}
	}
	return failure(codeBadCommand, fmt.Errorf("unknown CNI command %q", call.Command))
}

func result(a Attachment, call Call) cniResult {
	return cniResult{
		CNIVersion: wire.Version,
		Interfaces: []cniInterface{{Name: a.HostLink, Mac: a.HostMAC}, {Name: a.PodLink, Mac: a.PodMAC, Sandbox: call.Netns}},
		IPs:        []cniIP{{Interface: 1, Address: a.Address.String() + "/32", Gateway: gateway.String()}},
		Routes:     []cniRoute{{Dst: "0.0.0.0/0", GW: gateway.String()}},
	}
}

func success(r cniResult) Answer {
	out, err := json.Marshal(r)
	if err != nil {
		return failure(codeTryLater, err)
	}
	return Answer{Output: out}
}

func failure(code int, err error) Answer {
	return Answer{Code: code, Output: wire.Error(code, err.Error())}
}
