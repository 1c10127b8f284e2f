package cri

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/node/pod"
)

// Variable is one environment variable.
type Variable struct{ Name, Value string }

// environment builds up a container's variables: later ones replace earlier ones but keep their place.
type environment struct {
	settings *Settings
	source   Source
	owner    *v1.Pod
	podIPs   []string
	names    []string
	values   map[string]string
}

func (e *environment) set(name, value string) {
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

// Environment resolves the variables of a container: envFrom, then env, then the services that are not shadowed.
func (s *Settings) Environment(source Source, p *v1.Pod, c *v1.Container, podIPs []string) ([]Variable, error) {
	e := &environment{settings: s, source: source, owner: p, podIPs: podIPs, values: map[string]string{}}
	services := serviceVariables(source, p)
	for i := range c.EnvFrom {
		if err := e.addFrom(&c.EnvFrom[i]); err != nil {
			return nil, err
		}
	}
	for i := range c.Env {
		if err := e.add(&c.Env[i], c, services); err != nil {
			return nil, err
		}
	}
	var all []Variable
	for _, name := range e.names {
		all = append(all, Variable{Name: name, Value: e.values[name]})
	}
	for _, v := range services {
		if _, shadowed := e.values[v.Name]; !shadowed {
			all = append(all, v)
		}
	}
	return all, nil
}

func (e *environment) addFrom(from *v1.EnvFromSource) error {
	data := map[string]string{}
	switch {
	case from.ConfigMapRef != nil:
		configMap, err := e.source.ConfigMap(e.owner.Namespace, from.ConfigMapRef.Name)
		if err != nil {
			return unlessOptional(err, from.ConfigMapRef.Optional)
		}
		data = configMap.Data
	case from.SecretRef != nil:
		secret, err := e.source.Secret(e.owner.Namespace, from.SecretRef.Name)
		if err != nil {
			return unlessOptional(err, from.SecretRef.Optional)
		}
		for k, v := range secret.Data {
			data[k] = string(v)
		}
	}
	for _, k := range sortedKeys(data) {
		e.set(from.Prefix+k, data[k])
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func unlessOptional(err error, optional *bool) error {
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil
	}
	return err
}

func (e *environment) add(v *v1.EnvVar, c *v1.Container, services []Variable) error {
	if v.Value != "" || v.ValueFrom == nil {
		known := map[string]string{}
		for _, s := range services {
			known[s.Name] = s.Value
		}
		for k, value := range e.values {
			known[k] = value
		}
		e.set(v.Name, expand(v.Value, known))
		return nil
	}
	value, found, err := e.resolve(v.ValueFrom, c)
	if err == nil && found {
		e.set(v.Name, value)
	}
	return err
}

func (e *environment) resolve(from *v1.EnvVarSource, c *v1.Container) (value string, found bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = e.settings.fieldValue(e.owner, from.FieldRef.FieldPath, e.podIPs)
		return value, true, err
	case from.ResourceFieldRef != nil:
		target := c
		if name := from.ResourceFieldRef.ContainerName; name != "" {
			if target = pod.FindContainer(e.owner, name); target == nil {
				return "", false, fmt.Errorf("container %s not found", name)
			}
		}
		value, err = resourceValue(target, from.ResourceFieldRef, e.settings.Allocatable)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		return e.configMapKey(from.ConfigMapKeyRef)
	case from.SecretKeyRef != nil:
		return e.secretKey(from.SecretKeyRef)
	}
	return "", false, nil
}

func (e *environment) configMapKey(ref *v1.ConfigMapKeySelector) (string, bool, error) {
	optional := ref.Optional != nil && *ref.Optional
	configMap, err := e.source.ConfigMap(e.owner.Namespace, ref.Name)
	if err != nil {
		return "", false, unlessOptional(err, ref.Optional)
	}
	value, ok := configMap.Data[ref.Key]
	if !ok && !optional {
		return "", false, fmt.Errorf("couldn't find key %v in ConfigMap %v/%v", ref.Key, e.owner.Namespace, ref.Name)
	}
	return value, ok, nil
}

func (e *environment) secretKey(ref *v1.SecretKeySelector) (string, bool, error) {
	optional := ref.Optional != nil && *ref.Optional
	secret, err := e.source.Secret(e.owner.Namespace, ref.Name)
	if err != nil {
		return "", false, unlessOptional(err, ref.Optional)
	}
	value, ok := secret.Data[ref.Key]
	if !ok && !optional {
		return "", false, fmt.Errorf("couldn't find key %v in Secret %v/%v", ref.Key, e.owner.Namespace, ref.Name)
	}
	return string(value), ok, nil
}
