package core

// Labels of Secrets that hold the token of an account. Their values are days, such as 2026-01-02.
const (
	// LastUsed is the day on which somebody last came with the token.
	LastUsed = "kubernetes.io/legacy-token-last-used"
	// InvalidSince is the day from which on the token is refused.
	InvalidSince = "kubernetes.io/legacy-token-invalid-since"
)
