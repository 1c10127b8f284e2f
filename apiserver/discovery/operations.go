package discovery

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// operation describes one method. answer and body are schemas; body may be nil.
func (p *place) operation(action string, answer, body *spec.Schema, parameters []spec.Parameter) *spec.Operation {
	op := &spec.Operation{OperationProps: spec.OperationProps{
		ID:         p.operationID(action),
		Consumes:   []string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"},
		Produces:   []string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"},
		Schemes:    []string{"https"},
		Tags:       []string{p.tag()},
		Parameters: parameters,
		Responses: &spec.Responses{ResponsesProps: spec.ResponsesProps{StatusCodeResponses: map[int]spec.Response{
			200: {ResponseProps: spec.ResponseProps{Description: "OK", Schema: answer}},
			401: {ResponseProps: spec.ResponseProps{Description: "Unauthorized"}},
		}}},
	}}
	if body != nil {
		op.Parameters = append(op.Parameters, spec.Parameter{
			ParamProps: spec.ParamProps{Name: "body", In: "body", Required: action == "post" || action == "put" || action == "patch", Schema: body}})
		op.Responses.StatusCodeResponses[201] = spec.Response{ResponseProps: spec.ResponseProps{Description: "Created", Schema: answer}}
	}
	if p.custom != nil { // is never protobuf
		op.Consumes, op.Produces = op.Consumes[:2], op.Produces[:2]
	}
	if strings.HasPrefix(action, "connect") {
		action = "connect"
	}
	op.AddExtension("x-kubernetes-action", action)
	op.AddExtension("x-kubernetes-group-version-kind", map[string]any{"group": p.kind.Group, "version": p.kind.Version, "kind": p.kind.Kind})
	return op
}

// operationID names an operation as upstream does: patchAppsV1NamespacedDeploymentStatus.
func (p *place) operationID(action string) string {
	verb, part := action, ""
	switch action {
	case "get":
		verb = "read"
	case "post":
		verb = "create"
	case "put":
		verb = "replace"
	case "deletecollection":
		verb, part = "delete", "Collection"
	}
	if method, ok := strings.CutPrefix(action, "connect"); ok {
		verb, part = "connect", method
	}
	id := verb + p.groupName() + title(p.gv.Version) + part
	if p.r.Namespaced {
		id += "Namespaced"
	}
	if parent, sub, ok := strings.Cut(p.r.Name, "/"); ok {
		for _, r := range p.d.cfg.Kinds.Rows() {
			if r.Name == parent && r.Group == p.gv.Group {
				return id + r.Kind + title(sub)
			}
		}
	}
	return id + p.r.Kind
}

// groupName joins the parts of a group's own name: RbacAuthorization.
func (p *place) groupName() string {
	if p.gv.Group == "" {
		return "Core"
	}
	name := ""
	for part := range strings.SplitSeq(strings.TrimSuffix(p.gv.Group, ".k8s.io"), ".") {
		name += title(part)
	}
	return name
}

func (p *place) tag() string {
	name := p.groupName()
	return strings.ToLower(name[:1]) + name[1:] + "_" + p.gv.Version
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (p *place) pathParameters(named bool) []spec.Parameter {
	var out []spec.Parameter
	if named {
		out = append(out, pathParameter("name", "name of the "+p.r.Kind))
	}
	if p.r.Namespaced {
		out = append(out, pathParameter("namespace", "name of the namespace"))
	}
	return append(out, query("pretty", "string", "If 'true', the answer is indented."))
}

func pathParameter(name, description string) spec.Parameter {
	return spec.Parameter{
		ParamProps:   spec.ParamProps{Name: name, In: "path", Required: true, Description: description},
		SimpleSchema: spec.SimpleSchema{Type: "string"},
	}
}

func query(name, kind, description string) spec.Parameter {
	return spec.Parameter{
		ParamProps:   spec.ParamProps{Name: name, In: "query", Description: description},
		SimpleSchema: spec.SimpleSchema{Type: kind},
	}
}

// queries are parameters of a query, NAME:TYPE each, described as the type of the options does.
func queries(options interface{ SwaggerDoc() map[string]string }, named ...string) []spec.Parameter {
	doc := options.SwaggerDoc()
	list := make([]spec.Parameter, 0, len(named))
	for _, n := range named {
		name, kind, _ := strings.Cut(n, ":")
		list = append(list, query(name, kind, doc[name]))
	}
	return list
}

func writeParameters() []spec.Parameter {
	return queries(metav1.CreateOptions{}, "dryRun:string", "fieldManager:string", "fieldValidation:string")
}

func deleteParameters() []spec.Parameter {
	return queries(metav1.DeleteOptions{}, "dryRun:string", "gracePeriodSeconds:integer", "orphanDependents:boolean", "propagationPolicy:string")
}

func listParameters() []spec.Parameter {
	return queries(metav1.ListOptions{}, "allowWatchBookmarks:boolean", "continue:string", "fieldSelector:string", "labelSelector:string", "limit:integer",
		"resourceVersion:string", "resourceVersionMatch:string", "sendInitialEvents:boolean", "timeoutSeconds:integer", "watch:boolean")
}
