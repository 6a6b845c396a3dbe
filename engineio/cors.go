package engineio

import (
	"net/http"
	"strings"

	"github.com/parleyws/parley/handshake"
)

// CORS lets pages of other origins use a server (Fetch Standard, "CORS
// protocol"). The one list of Origins also rules which pages may open a
// WebSocket, which CORS does not cover.
type CORS struct {
	// Origins are patterns as in handshake.Options: "https://example.com",
	// "https://*.example.com", "http://localhost:5173"; "*" is any origin.
	Origins []string
	// Credentials lets pages send cookies along.
	Credentials bool
	// Headers names the header fields that pages may set. Nil allows those
	// that they ask for.
	Headers []string
}

// allow is the request methods of long-polling.
const allow = "GET,POST"

// Answer writes the fields of c to the response, as the first thing to do with
// a request, and reports whether the request was a preflight, which it has
// answered with 204. A nil c does nothing.
func (c *CORS) Answer(w http.ResponseWriter, r *http.Request) (answered bool) {
	if c == nil {
		return false
	}
	h := w.Header()
	origin := r.Header.Get("Origin")
	switch {
	case len(c.Origins) == 1 && c.Origins[0] == "*" && !c.Credentials:
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		h.Add("Vary", "Origin")
		if origin != "" && handshake.OriginAllowed(r, c.Origins) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", allow)
	asked := r.Header.Values("Access-Control-Request-Headers")
	switch {
	case c.Headers != nil:
		h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ","))
	case len(asked) > 0:
		h.Add("Vary", "Access-Control-Request-Headers")
		h["Access-Control-Allow-Headers"] = asked
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// origins returns the patterns for a WebSocket handshake.
func (c *CORS) origins() []string {
	if c == nil {
		return nil
	}
	return c.Origins
}
