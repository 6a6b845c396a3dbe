package engineio

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// A Refusal is the answer to a request that can't be served: Status, and
// {"code":N,"message":"..."}. Code and Message are those of the JavaScript server;
// Message is the text of the error if Hooks.Allow has refused the request.
type Refusal struct {
	Status  int    `json:"-"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns the message.
func (e *Refusal) Error() string { return "engine.io: " + e.Message }

// The refusals. The codes are the protocol's.
var (
	unknownTransport = &Refusal{http.StatusBadRequest, 0, "Transport unknown"}
	unknownSession   = &Refusal{http.StatusBadRequest, 1, "Session ID unknown"}
	badMethod        = &Refusal{http.StatusBadRequest, 2, "Bad handshake method"}
	badRequest       = &Refusal{http.StatusBadRequest, 3, "Bad request"}
	badVersion       = &Refusal{http.StatusBadRequest, 5, "Unsupported protocol version"}
	tooLarge         = &Refusal{http.StatusRequestEntityTooLarge, 3, "Payload too large"}
	unavailable      = &Refusal{http.StatusServiceUnavailable, 3, "Session can't be opened"}
)

// forbidden returns the refusal for an error of Hooks.Allow.
func forbidden(err error) *Refusal {
	return &Refusal{http.StatusForbidden, 4, err.Error()}
}

// refuse answers a request that can't be served, and tells the hook.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *Refusal) {
	e.write(w, r)
	s.refused(r, e)
}

// refused tells the hook of a request that was refused.
func (s *Server) refused(r *http.Request, e *Refusal) {
	if s.o.Hooks.Refused != nil {
		s.o.Hooks.Refused(r, e)
	}
}

// write answers a request. It does not wait for the rest of the request's body: where the
// connection is to be closed net/http answers first.
func (e *Refusal) write(w http.ResponseWriter, r *http.Request) {
	body, _ := json.Marshal(e)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		h.Set("Connection", "close")
	}
	w.WriteHeader(e.Status)
	w.Write(body)
}
