package main

import "regexp"

// known is a difference that stays, with the reason. Empty patterns match everything; all that are given must match.
type known struct {
	request  string // "METHOD resource/subresource"
	where    string // as difference.where
	upstream string
	ours     string
	sent     string // the request's body
	reason   string // for docs/compatibility.md: one whole sentence, or two
}

// knownDifferences lists every difference that is not a fault to be mended; open.txt has those that are not mended yet.
var knownDifferences = []known{
	{request: "volumeattributesclasses", where: "finalizers|f:finalizers", upstream: "vac-protection",
		reason: "Upstream protects classes of volume attributes that are in use by a finalizer. Proa's volumes have no attributes to change, so nothing uses such a class and nothing would take the finalizer away."},
	{request: "statefulsets", where: "maxUnavailable|code", ours: "maxUnavailable|%|^[0-9]",
		reason: "Proa keeps and honours `rollingUpdate.maxUnavailable` of StatefulSets (KEP-961), which upstream v1.36 drops because the feature is off by default."},
	{request: "^(PUT|PATCH|POST) statefulsets$", where: `^cause$|^body\.metadata\.generation$`, ours: `rollingUpdate\.maxUnavailable|^[0-9]+$`, sent: "maxUnavailable",
		reason: "The same difference: it has bounds, and a new value is a new generation."},
	{request: "^(POST|PUT|PATCH) services$", where: "^cause$", upstream: `^spec\.ports\[\d+\]\.nodePort: FieldValueDuplicate`, ours: "^$",
		reason: "Upstream allocates node ports before it finds that two ports of a Service have one number and protocol, gives both the same, and says that this is wrong, too."},
	{where: "^header.Warning$", upstream: "^$", sent: `\\[nrtu]`,
		reason: "Upstream leaves out a warning whose text has control characters; Proa leaves out the characters."},
	{request: "^PATCH [a-z]+/scale$", where: "^causes$", upstream: "^patch: .*managedFields", ours: "^patch: ",
		reason: "Where a patch makes a Scale that cannot be read, both quote it: upstream with the owners of its replicas, Proa without."},
	{request: "^(PUT|PATCH) [a-z]+/scale$", where: `^body\.metadata\.resourceVersion$`, upstream: `^'{rv Scale/`, ours: `^'{rv (Deployment|ReplicaSet|ReplicationController|StatefulSet|Widget)/`,
		reason: "Upstream looks for the owner of the replicas under another version than it has, so a Scale that wants what is there is a write: it splits the owner in two, and the next write forgets that it owned the replicas. Proa writes nothing."},
	{request: "^PATCH apiservices$", where: "^code$", upstream: "^400 the name of the object .* was undeterminable", ours: "^422 .*no kind",
		reason: "Where a patch takes an APIService's version away, upstream's aggregator reads it in its internal form and finds no name in it; Proa says that there is no such kind."},
	{request: "^PATCH apiservices$", where: "^causes$", upstream: `strict decoding error: unknown field "metadata", unknown field "spec", unknown field "status"$`, ours: `no kind "APIService" is registered for the internal version`,
		reason: "The same difference where the patch is to be read strictly: upstream's internal form has none of the fields that it is given."},
	{request: "services$", where: "^causes$", upstream: "^spec.clusterIPs: .*failed to allocate IP: IPAddress", ours: "metadata.name: FieldValueRequired",
		reason: "Upstream allocates a cluster IP before it finds that a Service has no name, and says only that this failed; Proa names the missing name, and all else that is wrong."},
	{request: "^POST services$", where: `^status\.(details\.name|message)$`, upstream: `^'?(Service "\{name\}" is invalid|\{name\})`, ours: `^$|^'?Service "" is invalid`,
		reason: "Upstream draws the rest of a generated name before it allocates what a Service asks for, and names it when it refuses that; Proa allocates first, and names nothing that never was."},
	{where: "code", upstream: "^0 the server broke off", ours: "^400 the strategic merge patch does not have the form|^422 the server rejected",
		reason: "A patch that panics in the merge library breaks the connection to upstream; Proa refuses it."},
	{request: "^(GET|DELETE) ", where: "retryAfterSeconds|Retry-After", upstream: "^$", ours: "1",
		reason: "Upstream's caches say when to ask for a revision of the future again. It keeps none of events and leases, and asks none for a list of a single name; Proa answers alike for all."},
	{request: "^(PUT|PATCH) replicationcontrollers$", where: "^header.Warning$", upstream: `^$|"spec\.template\.`, ours: `^$|"spec\.template\.`,
		reason: "Upstream's update of a ReplicationController warns of the pod template that was there before; Proa warns of the new one."},
	{request: "^GET events", where: "code", upstream: "400 invalid resource version", ours: "500 resourceVersion",
		reason: "Upstream keeps no cache of events and refuses a malformed revision with 400 there, with 500 elsewhere; Proa answers alike for all kinds."},
	{request: "^(PUT|PATCH) controllerrevisions$", where: "^(code|cause)$", upstream: "(^422 |^)[^;]*data: FieldValueInvalid: Invalid value: {…}: field is immutable$", ours: "^200|^$",
		reason: "Upstream compares the data of a ControllerRevision letter by letter, so that it refuses patches of one whose data was sent with spaces or its keys in another order; Proa compares what the data says."},
	{request: "^(PUT|PATCH) persistentvolumeclaims(/status)?$", where: `^body(\.rows\[\]\.object)?\.metadata\.resourceVersion$`, upstream: `^'{rv ([^#]*#2|PartialObjectMetadata[^#]*)}'$`, ours: `^'{rv PersistentVolumeClaim[^#]*}'$`,
		reason: "Upstream stores a new claim without its phase and adds it with the next write, so that the first update is one even if it changes nothing."},
	{request: "^DELETE ", where: "^code$", upstream: "^409 .*Precondition failed: ResourceVersion in precondition: , ResourceVersion in object meta: ", ours: "^200 ",
		reason: "Upstream refuses to delete what is at the very revision that the client names, if the deletion is also to take the last finalizer away: it goes on with an object that it has not read, and compares its own empty revision. Proa deletes it."},
	{request: "^(PUT|PATCH) services/status$", where: "^code$", upstream: `^422 Service .* is invalid|^201 `, ours: `^404 services "`,
		reason: "Upstream creates a Service that is not there when its status is written or applied without a uid; Proa says that there is none."},
	{request: "ipaddresses", where: `rows\[\]\.cells$`,
		reason: "Upstream's rows of IPAddresses have a third cell, the age, for which there is no column."},
	{request: "^(POST|PUT|PATCH) horizontalpodautoscalers$", where: "^code$", upstream: "^422 .*must specify at least one Policy", ours: "^20[01]",
		reason: "Upstream sets the defaults of an autoscaler's behavior when it reads v2, so that one in the annotation of a v1 object is refused without policies; Proa sets them there, too."},
	{request: "^POST pods/binding$", where: "^code$", upstream: `^500 \[?(target|\])`, ours: "^422 Binding",
		reason: "Upstream answers a Binding that is not valid with 500, as if the server had failed; Proa with 422 and the field."},
	{request: "^(PUT|PATCH) services$", where: "^code$", upstream: "^500 duplicate nodePort: ", ours: "^422 Service ",
		reason: "Upstream allocates node ports of an update before it finds that the Service is not valid, and answers with 500 if two ports are to have the same; Proa with 422 and the fields."},
	{where: "^form$", upstream: "^504 .Content-Type: text/plain", ours: "^504 .*allotted timeout",
		reason: "Upstream's answer to a request whose time is over is a Status without its type, sent as text; Proa's has both."},
	{where: "^form$", upstream: "Too large resource version: (18446744073709551615|9223372036854775808)", ours: "Too large resource version: 9223372036854775807",
		reason: "Proa counts revisions in 63 bits, so it names the last of them when a client asks for one beyond."},
	{where: "^form$", upstream: "^200 ERROR .*context deadline exceeded", ours: "^200$",
		reason: "A watch whose timeoutSeconds lies below zero has ended before it began: upstream says so with an internal error, Proa ends it without events."},
	{where: "^form$", upstream: "^200( .Content-Type: application/vnd.kubernetes.protobuf;stream=watch.)?$", ours: "PartialObjectMetadata",
		reason: "Upstream breaks off a watch that asks for each event's object as a PartialObjectMetadataList; Proa sends the PartialObjectMetadata of it."},
	{request: "(widgets|gadgets)", where: "code", upstream: "^0 the server broke off|^400 the object provided is unrecognized", ours: "^415 the body of the request was in an unknown format",
		reason: "Custom objects have no form in protobuf. Upstream reads a body that says it is protobuf all the same and panics, or says that it is none; Proa says which forms it takes."},
	{request: "^POST (widgets|gadgets)", where: "code", upstream: "^(201|400|409|422) ", ours: "^405 ",
		reason: "Upstream lets a POST to the name of a custom object create what the body names, so that who may create objects of some names can create any; Proa takes POSTs to the collection alone."},
	{request: "^PUT (widgets|gadgets)/scale$", where: `^status\.message$`, upstream: `^no kind is registered for the type v1\.Scale in scheme`, ours: "^'Scale in version",
		reason: "Upstream looks for the name of a custom object's Scale where there is none when it is to say what is wrong with one, and says that; Proa says what is wrong."},
	{request: "^PATCH (widgets|gadgets)(/status)?$", where: "^code$", upstream: "^500 Internal error occurred: Object 'apiVersion' is missing", ours: "^422 ",
		reason: "Upstream answers a patch that takes the version of a custom object away with 500, as if the server had failed; Proa with 422 and the field."},
	{request: "^PATCH validatingadmissionpolicies/status$", where: "^code$", upstream: "^(201|400|422|500) ", ours: "^404 ", sent: ".",
		reason: "Upstream creates a ValidatingAdmissionPolicy that is not there when its status is applied, and says what keeps it from that; Proa says that there is none."},
	{request: "customresourcedefinitions", where: "code", upstream: "^0 the server broke off", ours: "^422 ",
		reason: "Upstream panics over selectable fields of a schema that is not structural; Proa says what is wrong with the schema."},
	{request: "customresourcedefinitions", where: `^body\.status\.conditions$`, upstream: `^\[\]$`, ours: "^null$",
		reason: "Upstream stores definitions as JSON, which keeps an empty list of conditions; Proa as protobuf, to which it is none."},
	{request: "resourceclaim", where: "cause", upstream: "admin access to devices requires",
		reason: "Upstream asks together with all other rules whether a claim's namespace lets it watch over others' devices; Proa asks it of claims that keep the others."},
}

// classify finds the reason for a difference; nil: nobody knows it.
func classify(d difference) *known {
	for i := range knownDifferences {
		k := &knownDifferences[i]
		if matches(k.request, d.request.method+" "+kindOf(d.request.path)) && matches(k.where, d.where) && matches(k.upstream, d.upstream) && matches(k.ours, d.ours) && matches(k.sent, d.request.body) {
			return k
		}
	}
	return nil
}

func matches(pattern, text string) bool {
	return pattern == "" || regexp.MustCompile(pattern).MatchString(text)
}
