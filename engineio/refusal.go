package engineio

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// A refusal is the answer to a request that can't be served: a status and
// {"code":N,"message":"..."}.
type refusal struct {
	status int
	Code   int    `json:"code"`
	Text   string `json:"message"`
}

// The refusals. The codes are the protocol's.
var (
	unknownTransport = &refusal{http.StatusBadRequest, 0, "Transport unknown"}
	unknownSession   = &refusal{http.StatusBadRequest, 1, "Session ID unknown"}
	badMethod        = &refusal{http.StatusBadRequest, 2, "Bad handshake method"}
	badRequest       = &refusal{http.StatusBadRequest, 3, "Bad request"}
	badVersion       = &refusal{http.StatusBadRequest, 5, "Unsupported protocol version"}
	tooLarge         = &refusal{http.StatusRequestEntityTooLarge, 3, "Payload too large"}
	unavailable      = &refusal{http.StatusServiceUnavailable, 3, "Session can't be opened"}
)

// forbidden returns the refusal for an error of Hooks.Allow.
func forbidden(err error) *refusal {
	return &refusal{http.StatusForbidden, 4, err.Error()}
}

// write answers a request. It does not wait for the rest of the request's body.
func (e *refusal) write(w http.ResponseWriter) {
	body, _ := json.Marshal(e)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(e.status)
	w.Write(body)
}
