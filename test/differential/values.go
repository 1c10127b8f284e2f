package main

import (
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pools are the values that fields of a name are given: those that mean something and those that are just not allowed.
var pools = map[string][]any{
	"name":                          {"a", "b", "c", "web", "v", "Bad_Name", "", "a.b", "very-long-name-very-long-name-very-long-name-very-long-name-very-x", "a--b", "-a", "1"},
	"namespace":                     {"{ns}", "default", "Bad_Name", "other", ""},
	"restartPolicy":                 {"Always", "OnFailure", "Never", "Sometimes", ""},
	"protocol":                      {"TCP", "UDP", "SCTP", "HTTP", ""},
	"operator":                      {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal", "Bad", ""},
	"effect":                        {"NoSchedule", "PreferNoSchedule", "NoExecute", "Bad", ""},
	"imagePullPolicy":               {"Always", "IfNotPresent", "Never", "Bad", ""},
	"dnsPolicy":                     {"ClusterFirst", "Default", "None", "ClusterFirstWithHostNet", "Bad"},
	"terminationMessagePolicy":      {"File", "FallbackToLogsOnError", "Bad"},
	"whenUnsatisfiable":             {"DoNotSchedule", "ScheduleAnyway", "Bad", ""},
	"nodeAffinityPolicy":            {"Honor", "Ignore", "Bad"},
	"nodeTaintsPolicy":              {"Honor", "Ignore", "Bad"},
	"topologyKey":                   {"zone", "kubernetes.io/hostname", "Bad Key", ""},
	"image":                         {"nginx", "nginx:latest", "nginx@sha256:0123", " bad", ""},
	"mountPath":                     {"/v", "/x/../y", "v", "", "/a:b"},
	"path":                          {"/x", "x", "../x", "", "/a/../b", "a/b"},
	"subPath":                       {"s", "../s", "/s", ""},
	"schedule":                      {"*/5 * * * *", "@hourly", "TZ=UTC * * * * *", "bad", "", "* * * * * *"},
	"timeZone":                      {"Etc/UTC", "Nowhere/Here", "", "Local"},
	"concurrencyPolicy":             {"Allow", "Forbid", "Replace", "Bad"},
	"completionMode":                {"Indexed", "NonIndexed", "Bad"},
	"podReplacementPolicy":          {"Failed", "TerminatingOrFailed", "Bad"},
	"podManagementPolicy":           {"OrderedReady", "Parallel", "Bad"},
	"whenDeleted":                   {"Delete", "Retain", "Bad"},
	"whenScaled":                    {"Delete", "Retain", "Bad"},
	"sessionAffinity":               {"ClientIP", "None", "Bad", ""},
	"externalTrafficPolicy":         {"Local", "Cluster", "Bad", ""},
	"internalTrafficPolicy":         {"Local", "Cluster", "Bad"},
	"ipFamilyPolicy":                {"SingleStack", "PreferDualStack", "RequireDualStack", "Bad"},
	"ipFamilies":                    {"IPv4", "IPv6", "Bad"},
	"clusterIP":                     {"None", "", "10.0.0.1", "bad", "10.96.0.999"},
	"clusterIPs":                    {"None", "10.0.0.1", "bad"},
	"externalName":                  {"example.com", "Bad_Name", "", "1.2.3.4"},
	"externalIPs":                   {"1.2.3.4", "127.0.0.1", "bad"},
	"loadBalancerIP":                {"1.2.3.4", "bad"},
	"loadBalancerSourceRanges":      {"10.0.0.0/8", "10.0.0.1/8", "bad", " 10.0.0.0/8"},
	"pathType":                      {"Prefix", "Exact", "ImplementationSpecific", "Bad"},
	"host":                          {"a.example.com", "*.example.com", "1.2.3.4", "Bad_Host", ""},
	"hosts":                         {"a.example.com", "*.example.com", "Bad_Host"},
	"accessModes":                   {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod", "Bad"},
	"persistentVolumeReclaimPolicy": {"Retain", "Delete", "Recycle", "Bad"},
	"reclaimPolicy":                 {"Retain", "Delete", "Bad", ""},
	"volumeMode":                    {"Filesystem", "Block", "Bad"},
	"volumeBindingMode":             {"Immediate", "WaitForFirstConsumer", "Bad"},
	"addressType":                   {"IPv4", "IPv6", "FQDN", "Bad", ""},
	"addresses":                     {"10.1.0.9", "::1", "bad", "a.example.com"},
	"ip":                            {"10.1.0.3", "127.0.0.1", "::1", "bad", "", "010.1.0.1"},
	"cidr":                          {"10.0.0.0/8", "10.0.0.1/8", "bad", "::/0"},
	"podCIDR":                       {"10.244.1.0/24", "bad", ""},
	"nodeName":                      {"n1", "Bad_Node", ""},
	"nodeID":                        {"n1", ""},
	"serviceAccountName":            {"default", "missing", "Bad_Name", ""},
	"priorityClassName":             {"system-node-critical", "system-cluster-critical", "missing", ""},
	"preemptionPolicy":              {"Never", "PreemptLowerPriority", "Bad"},
	"runtimeClassName":              {"missing", "Bad_Name"},
	"schedulerName":                 {"default-scheduler", "mine", ""},
	"hostname":                      {"h", "Bad_Host", "a.b"},
	"subdomain":                     {"s", "Bad_Host"},
	"apiVersion":                    {"v1", "apps/v1", "bad/v/1", "", "extensions/v1beta1"},
	"kind":                          {"Pod", "Deployment", "Node", "Bad", "", "User", "Group", "ServiceAccount", "ClusterRole", "Role"},
	"apiGroup":                      {"", "apps", "rbac.authorization.k8s.io", "storage.k8s.io", "Bad"},
	"apiGroups":                     {"", "apps", "*"},
	"resources":                     {"pods", "*", "deployments/scale", ""},
	"verbs":                         {"get", "*", "list", ""},
	"nonResourceURLs":               {"/healthz", "/x/*", "*", "bad"},
	"finalizers":                    {"example.com/f", "foregroundDeletion", "orphan", "bad finalizer", "kubernetes", "noslash"},
	"policyTypes":                   {"Ingress", "Egress", "Bad"},
	"fieldPath":                     {"metadata.name", "metadata.labels", "status.podIP", "spec.nodeName", "metadata.labels['a']", "bad", ""},
	"resource":                      {"limits.cpu", "requests.memory", "bad", "pods", ""},
	"divisor":                       {"1", "1m", "1Mi", "7"},
	"resourceVersion":               {"1", "0", "bad", ""},
	"uid":                           {"11111111-2222-3333-4444-555555555555", "u", ""},
	"maxSkew":                       {1, 0, -1, 2},
	"port":                          {80, 0, 65536, "web", "Bad Port", 443, -1},
	"targetPort":                    {80, 0, 65536, "web", "Bad_Port"},
	"containerPort":                 {80, 0, 65536, 8080},
	"hostPort":                      {80, 0, 65536, 8080},
	"nodePort":                      {0, 80, 70000},
	"appProtocol":                   {"http", "kubernetes.io/h2c", "bad proto", ""},
	"replicas":                      {0, 1, 5, -1},
	"revision":                      {1, 2, -1},
	"value":                         {"1", "", "x", "a b", 5},
	"key":                           {"app", "zone", "Bad Key", "", "k8s.io/x", "node-role.kubernetes.io/x"},
	"values":                        {"a", "b", "1", "Bad Value", ""},
	"scopeName":                     {"BestEffort", "NotBestEffort", "Terminating", "PriorityClass", "CrossNamespacePodAffinity", "Bad"},
	"scopes":                        {"BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "Bad"},
	"unhealthyPodEvictionPolicy":    {"AlwaysAllow", "IfHealthyBudget", "Bad"},
	"selectPolicy":                  {"Max", "Min", "Disabled", "Bad"},
	"action":                        {"FailJob", "Ignore", "Count", "FailIndex", "Bad", "Start"},
	"fsGroupPolicy":                 {"File", "None", "ReadWriteOnceWithFSType", "Bad"},
	"volumeLifecycleModes":          {"Persistent", "Ephemeral", "Bad"},
	"supplementalGroupsPolicy":      {"Merge", "Strict", "Bad"},
	"fsGroupChangePolicy":           {"OnRootMismatch", "Always", "Bad"},
	"procMount":                     {"Default", "Unmasked", "Bad"},
	"mountPropagation":              {"None", "HostToContainer", "Bidirectional", "Bad"},
	"recursiveReadOnly":             {"Disabled", "Enabled", "IfPossible", "Bad"},
	"medium":                        {"", "Memory", "HugePages", "HugePages-2Mi", "Bad"},
	"scheme":                        {"HTTP", "HTTPS", "Bad"},
	"stopSignal":                    {"SIGTERM", "SIGKILL", "Bad"},
	"conditionType":                 {"example.com/ready", "Bad Type"},
	"reason":                        {"Because", ""},
	"status":                        {"True", "False", "Unknown", "Bad"},
	"phase":                         {"Pending", "Running", "Active", "Terminating", "Bound", "Bad"},
	"controller":                    {"example.com/c", "Bad", true},
	"provisioner":                   {"example.com/p", "Bad_P", ""},
	"handler":                       {"runc", "Bad_H", ""},
	"managedBy":                     {"example.com/m", "bad", "kubernetes.io/job-controller"},
	"user":                          {"u-{ns}", "", "system:anonymous"},
	"groups":                        {"g-{ns}", "system:masters"},
}

// typePools are the values of fields called "type", by the struct that they are of.
var typePools = map[string][]any{
	"ServiceSpec":               {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Bad", ""},
	"Secret":                    {"Opaque", "kubernetes.io/tls", "kubernetes.io/dockerconfigjson", "kubernetes.io/service-account-token", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "mine", ""},
	"DeploymentStrategy":        {"Recreate", "RollingUpdate", "Bad", ""},
	"DaemonSetUpdateStrategy":   {"OnDelete", "RollingUpdate", "Bad"},
	"StatefulSetUpdateStrategy": {"OnDelete", "RollingUpdate", "Bad"},
	"LimitRangeItem":            {"Container", "Pod", "PersistentVolumeClaim", "example.com/x", "Bad", ""},
	"SeccompProfile":            {"RuntimeDefault", "Unconfined", "Localhost", "Bad", ""},
	"AppArmorProfile":           {"RuntimeDefault", "Unconfined", "Localhost", "Bad", ""},
	"HostPathVolumeSource":      {"", "Directory", "File", "DirectoryOrCreate", "Bad"},
	"MetricSpec":                {"Resource", "Pods", "Object", "External", "ContainerResource", "Bad"},
	"MetricTarget":              {"Utilization", "Value", "AverageValue", "Bad"},
	"HPAScalingPolicy":          {"Pods", "Percent", "Bad"},
	"Event":                     {"Normal", "Warning", "Bad", ""},
	"NodeAddress":               {"InternalIP", "Hostname", "ExternalIP"},
}

var (
	words      = []any{"a", "b", "", "x/y", "example.com/x", "Bad Word", "10.0.0.1", "UPPER", "a.b.c", "-", strings.Repeat("x", 64), strings.Repeat("y", 254), "true", "null", "ünï", "a\nb"}
	integers   = []any{0, 1, 2, 3, -1, 5, 10, 60, 100, 101, 65536, 2147483647, 1000}
	quantities = []any{"1", "100m", "1Gi", "64Mi", "-1", "bad", "1.5", "0", "0.1m", "1e3", 2}
	someKeys   = []string{"app", "tier", "example.com/x", "Bad Key", "", "kubernetes.io/x", "a.b", "cpu", "memory"}
	resources  = []string{"cpu", "memory", "storage", "pods", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu", "requests.cpu", "limits.memory", "bad name", "services", "configmaps", "count/pods"}
	enumWord   = regexp.MustCompile(`"([A-Za-z][A-Za-z0-9]*)"|\b([A-Z][a-z]+[A-Z][A-Za-z]*)\b`)
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// place is where in the types of an object a value is.
type place struct {
	parent reflect.Type // the struct
	field  string       // its JSON name
	doc    string
}

// value makes up a value of a type: mostly of its form, sometimes of its meaning, sometimes neither.
func value(r *rand.Rand, t reflect.Type, at place, depth int) any {
	if chance(r, 2) {
		return pick(r, []any{"text", 7, true, nil, []any{}, map[string]any{}, 1.5})
	}
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return pick(r, quantities)
	case reflect.TypeFor[intstr.IntOrString]():
		return pick(r, append([]any{80, "50%", "web", "101%", -1, 0, "", "bad%"}, pools[at.field]...))
	case reflect.TypeFor[metav1.Time]():
		return pick(r, []any{"2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "bad", nil})
	case reflect.TypeFor[metav1.MicroTime]():
		return pick(r, []any{"2020-01-01T00:00:00.000000Z", "2020-01-01T00:00:00Z", "bad"})
	case reflect.TypeFor[metav1.Duration]():
		return pick(r, []any{"10s", "bad"})
	case reflect.TypeFor[runtime.RawExtension]():
		return map[string]any{"x": 1}
	case reflect.TypeFor[metav1.FieldsV1]():
		return pick(r, []any{map[string]any{}, map[string]any{"f:data": map[string]any{}}})
	}
	switch t.Kind() {
	case reflect.Pointer:
		return value(r, t.Elem(), at, depth)
	case reflect.Bool:
		return chance(r, 50)
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Float64, reflect.Uint8:
		if pool := pools[at.field]; len(pool) > 0 && chance(r, 80) {
			return pick(r, pool)
		}
		return pick(r, integers)
	case reflect.String:
		return stringValue(r, at)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return pick(r, []any{"aGk=", "", "bad base64!"})
		}
		out := []any{}
		for range r.IntN(3) {
			out = append(out, value(r, t.Elem(), at, depth+1))
		}
		return out
	case reflect.Map:
		return mapValue(r, t, at, depth)
	case reflect.Struct:
		return structValue(r, t, depth)
	}
	return nil
}

func stringValue(r *rand.Rand, at place) any {
	if at.field == "type" {
		if pool := typePools[at.parent.Name()]; pool != nil && chance(r, 90) {
			return pick(r, pool)
		}
	}
	if pool := pools[at.field]; len(pool) > 0 && chance(r, 85) {
		return pick(r, pool)
	}
	if found := enumWord.FindAllStringSubmatch(at.doc, -1); len(found) > 0 && chance(r, 50) {
		m := pick(r, found)
		return m[1] + m[2]
	}
	return pick(r, words)
}

func mapValue(r *rand.Rand, t reflect.Type, at place, depth int) any {
	keys := someKeys
	if t.Elem() == reflect.TypeFor[resource.Quantity]() {
		keys = resources
	}
	out := map[string]any{}
	for range 1 + r.IntN(2) {
		out[pick(r, keys)] = value(r, t.Elem(), place{at.parent, "value", ""}, depth+1)
	}
	return out
}

func structValue(r *rand.Rand, t reflect.Type, depth int) any {
	out := map[string]any{}
	for _, f := range fieldsOf(t) {
		chances := 25
		if !f.optional {
			chances = 88
		}
		if depth > 2 && f.optional {
			chances = 6
		}
		if depth < 7 && chance(r, chances) {
			out[f.name] = value(r, f.goType, f.place, depth+1)
		}
	}
	return out
}

// jsonField is a field of a struct as JSON has it.
type jsonField struct {
	place
	name     string
	goType   reflect.Type
	optional bool
}

// fieldsOf lists a struct's fields, with those of what is inlined.
func fieldsOf(t reflect.Type) []jsonField {
	var out []jsonField
	docs := docsOf(t)
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() || name == "globalDefault": // which would reach into other histories
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[metav1.TypeMeta]() {
				out = append(out, fieldsOf(f.Type)...)
			}
		case name != "":
			out = append(out, jsonField{place{t, name, docs[name]}, name, f.Type, strings.Contains(options, "omitempty") || f.Type.Kind() == reflect.Pointer})
		}
	}
	return out
}

func docsOf(t reflect.Type) map[string]string {
	if d, ok := reflect.New(t).Elem().Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return d.SwaggerDoc()
	}
	return nil
}
