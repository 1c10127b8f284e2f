package apiserver_test

import (
	"proa/apiserver"
	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/stream"
	"proa/apiserver/verbs"
	"proa/client"
)

// What the assembler puts together fits.
var (
	_ client.Client      = (*apiserver.Local)(nil)
	_ apiserver.Streamer = (*stream.Streams)(nil)
	_ verbs.TokenIssuer  = (*auth.Tokens)(nil)
	_ verbs.Answer       = (*auth.Reviews)(nil).Answer
	_                    = admit.Config{Restrict: (*auth.Access)(nil).Restrict, CheckEscalation: (*auth.Access)(nil).CheckEscalation}
)
