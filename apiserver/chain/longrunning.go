package chain

// longDoors are the subresources that last as long as the client wants.
var longDoors = map[string]bool{"attach": true, "exec": true, "proxy": true, "log": true, "portforward": true}

// LongRunning says whether a request may last: streams and watches have no time limit and count in no limit.
func LongRunning(info *Info) bool {
	return info.IsResource && (info.Verb == "watch" || info.Verb == "proxy" || longDoors[info.Subresource])
}
