// Command proa-cni is the CNI plugin of Proa's pod network. It hands each call to the agent over the unix socket that
// its configuration names, and prints the answer. It decides nothing.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"

	"proa/network/podnet/plugin/wire"
)

func main() {
	if os.Getenv("CNI_COMMAND") == "VERSION" {
		fmt.Printf(`{"cniVersion":%q,"supportedVersions":["0.4.0","1.0.0"]}`+"\n", wire.Version)
		return
	}
	answer, err := ask()
	if err != nil {
		answer = wire.Answer{Code: 11, Output: wire.Error(11, "proa agent: "+err.Error())}
	}
	os.Stdout.Write(answer.Output)
	os.Exit(answer.Code)
}

// ask passes the call on to the agent and returns its answer.
func ask() (answer wire.Answer, err error) {
	var config struct {
		Socket string `json:"socket"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		return answer, fmt.Errorf("read configuration: %w", err)
	}
	conn, err := net.Dial("unix", config.Socket)
	if err != nil {
		return answer, err
	}
	defer conn.Close()
	call := wire.Call{
		Command:     os.Getenv("CNI_COMMAND"),
		ContainerID: os.Getenv("CNI_CONTAINERID"),
		Netns:       os.Getenv("CNI_NETNS"),
		IfName:      os.Getenv("CNI_IFNAME"),
	}
	if err := json.NewEncoder(conn).Encode(call); err != nil {
		return answer, fmt.Errorf("send call: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read answer: %w", err)
	}
	return answer, nil
}
