package discovery

import "net/http"

// schemas renders OpenAPI documents.
type schemas struct{ h *Handler }

func (s *schemas) serve(w http.ResponseWriter, r *http.Request, path string) bool { return false }
