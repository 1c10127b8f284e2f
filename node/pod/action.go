package pod

import (
	"fmt"
	"strings"
)

// Verb says what an Action does.
type Verb string

// The verbs. Each is reported back by a Done, except those that say they are not.
const (
	PrepareVolumes  Verb = "prepare-volumes"
	RunSandbox      Verb = "run-sandbox"      // with the cgroup and folders of the pod; Attempt
	StopSandbox     Verb = "stop-sandbox"     // ID
	RemoveSandbox   Verb = "remove-sandbox"   // ID; its containers go too
	EnsureImage     Verb = "ensure-image"     // Container
	StartContainer  Verb = "start-container"  // create and start; Container, Attempt, Image, ID of the sandbox
	PostStart       Verb = "post-start"       // run the hook; Container, ID
	StopContainer   Verb = "stop-container"   // preStop hook included; Container, ID, Grace. A second one for an ID replaces the first
	RemoveContainer Verb = "remove-container" // Container, ID
	Resize          Verb = "resize"           // bring limits of running containers and of the pod up to date
	Release         Verb = "release"          // volumes, cgroup
	DeleteFromAPI   Verb = "delete-from-api"  // after the last status was written
	Observe         Verb = "observe"          // read the runtime's state of the pod anew; answered by a full Observed
	CancelStarts    Verb = "cancel-starts"    // end all actions under way that would start something; each still reports Done
	WatchProbes     Verb = "watch-probes"     // not reported; Container, ID
	ForgetProbes    Verb = "forget-probes"    // not reported; Container, or "" for all
	Record          Verb = "record"           // an event for the user; not reported
)

// Action is one thing to do for a pod. Which fields are set is said at its Verb.
type Action struct {
	Verb      Verb
	Container string
	ID        string
	Attempt   int
	Image     string
	Grace     int64 // seconds

	EventType, Reason, Message string // Record; Reason also says why a container is stopped
}

// key names what an action works on: while one is under way, no second one with its key is wanted.
func (a Action) key() string { return string(a.Verb) + "/" + a.Container + "/" + a.ID }

// reported says whether a Done follows.
func (a Action) reported() bool {
	switch a.Verb {
	case WatchProbes, ForgetProbes, Record, CancelStarts, Observe:
		return false
	}
	return true
}

// Starts says whether the action brings something into being, so that CancelStarts ends it.
func (a Action) Starts() bool {
	switch a.Verb {
	case PrepareVolumes, RunSandbox, EnsureImage, StartContainer, PostStart:
		return true
	}
	return false
}

// String is for scripts and logs.
func (a Action) String() string {
	var b strings.Builder
	b.WriteString(string(a.Verb))
	if a.Container != "" {
		b.WriteString(" " + a.Container)
	}
	if a.ID != "" {
		b.WriteString(" id=" + a.ID)
	}
	switch a.Verb {
	case RunSandbox, StartContainer:
		fmt.Fprintf(&b, " attempt=%d", a.Attempt)
	case StopContainer:
		fmt.Fprintf(&b, " grace=%d", a.Grace)
	case Record:
		fmt.Fprintf(&b, " %s %s: %s", a.EventType, a.Reason, a.Message)
	}
	return b.String()
}
