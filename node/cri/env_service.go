package cri

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serviceVariables are the variables that tell a container where services are: always the API server's, and those of
// its namespace unless the pod sets enableServiceLinks to false.
func serviceVariables(source Source, p *v1.Pod) []Variable {
	links := p.Spec.EnableServiceLinks == nil || *p.Spec.EnableServiceLinks
	services := source.Services(p.Namespace)
	if !links {
		services = nil
	}
	for _, s := range source.Services(metav1.NamespaceDefault) {
		if s.Name == "kubernetes" && !(links && p.Namespace == metav1.NamespaceDefault) {
			services = append(services[:len(services):len(services)], s)
		}
	}
	var all []Variable
	for _, s := range services {
		if s.Spec.ClusterIP != "" && s.Spec.ClusterIP != v1.ClusterIPNone && len(s.Spec.Ports) > 0 {
			all = append(all, variablesOf(s)...)
		}
	}
	return all
}

func variablesOf(s *v1.Service) []Variable {
	prefix := strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
	var all []Variable
	add := func(name, value string) {
		all = append(all, Variable{Name: prefix + name, Value: value})
	}
	add("_SERVICE_HOST", s.Spec.ClusterIP)
	add("_SERVICE_PORT", strconv.Itoa(int(s.Spec.Ports[0].Port)))
	for _, port := range s.Spec.Ports {
		if port.Name != "" {
			add("_SERVICE_PORT_"+strings.ToUpper(strings.ReplaceAll(port.Name, "-", "_")), strconv.Itoa(int(port.Port)))
		}
	}
	for i, port := range s.Spec.Ports {
		protocol := strings.ToLower(string(port.Protocol))
		if protocol == "" {
			protocol = "tcp"
		}
		number := strconv.Itoa(int(port.Port))
		address := fmt.Sprintf("%s://%s", protocol, net.JoinHostPort(s.Spec.ClusterIP, number))
		if i == 0 {
			add("_PORT", address)
		}
		link := "_PORT_" + number + "_" + strings.ToUpper(protocol)
		add(link, address)
		add(link+"_PROTO", protocol)
		add(link+"_PORT", number)
		add(link+"_ADDR", s.Spec.ClusterIP)
	}
	return all
}
