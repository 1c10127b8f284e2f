package main

import (
	"time"

	"github.com/spf13/cobra"
)

// identity adds the flags that say who is asked who somebody is and what they may. Their names are upstream's.
func (o *options) identity(cmd *cobra.Command) {
	f, id := cmd.Flags(), &o.config.Identity
	f.StringVar(&id.AuthenticationConfig, "authentication-config", "", "file that says which issuers of tokens are trusted, and what anonymous requests may ask for")
	f.StringVar(&id.AuthorizationConfig, "authorization-config", "", "file that says who decides about requests, in which order (default Node, RBAC)")
	f.StringVar(&id.TokenFile, "token-auth-file", "", "file of bearer tokens: a line token,user,uid,\"group,...\" each, read at the start")
	f.StringVar(&id.TokenWebhook, "authentication-token-webhook-config-file", "", "kubeconfig of a server that is asked whose a token is")
	f.StringVar(&id.TokenWebhookVersion, "authentication-token-webhook-version", "v1beta1", "version of the reviews that it is sent")
	f.DurationVar(&id.TokenWebhookTTL, "authentication-token-webhook-cache-ttl", 2*time.Minute, "how long its answers are kept")
	f.StringVar(&o.oidc.IssuerURL, "oidc-issuer-url", "", "issuer whose tokens are trusted, without a file")
	f.StringVar(&o.oidc.ClientID, "oidc-client-id", "", "audience of its tokens")
	f.StringVar(&o.oidc.UsernameClaim, "oidc-username-claim", "", "claim that names the user (default sub)")
	f.StringVar(&o.oidc.UsernamePrefix, "oidc-username-prefix", "", "put before the name; - for nothing (default the issuer and #, and nothing for email)")
	f.StringVar(&o.oidc.GroupsClaim, "oidc-groups-claim", "", "claim that names the user's groups")
	f.StringVar(&o.oidc.GroupsPrefix, "oidc-groups-prefix", "", "put before each group")
	f.StringToStringVar(&o.oidc.RequiredClaims, "oidc-required-claim", nil, "claims that a token must have, CLAIM=VALUE,...")
	f.StringSliceVar(&o.oidc.Algorithms, "oidc-signing-algs", nil, "algorithms of signatures (default RS256)")
	f.StringVar(&o.oidc.CAFile, "oidc-ca-file", "", "authorities of the issuer's certificate (default the system's)")
}

func (o *options) completeIdentity() error {
	flags := &o.oidc
	if flags.IssuerURL == "" && flags.ClientID == "" && flags.UsernameClaim == "" && flags.GroupsClaim == "" && len(flags.RequiredClaims) == 0 {
		return nil
	}
	o.config.Identity.OIDC = flags
	return flags.Complete()
}
