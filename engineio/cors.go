package engineio

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/parleyws/parley/handshake"
)

// CORS lets pages of other origins use a server (Fetch Standard, "CORS
// protocol"). The same list of Origins decides which pages may open a
// WebSocket, which the CORS protocol does not cover.
type CORS struct {
	// Origins are patterns as in handshake.Options: "https://example.com",
	// "https://*.example.com", "http://localhost:5173"; "*" is any origin. A
	// slash at the end is ignored.
	Origins []string
	// Credentials lets pages send cookies along. It can't be combined with the
	// pattern "*": any page could then act with its visitor's cookies.
	Credentials bool
	// Headers names the header fields that pages may set. nil allows whatever
	// fields they ask for.
	Headers []string
}

// resolve returns a copy of c without the slashes at the end of its patterns, or
// what is wrong with c.
func (c *CORS) resolve() (*CORS, error) {
	const field = "CORS.Origins"
	own := &CORS{Origins: make([]string, len(c.Origins)), Credentials: c.Credentials, Headers: slices.Clone(c.Headers)}
	for i, given := range c.Origins {
		p := strings.TrimSuffix(given, "/")
		if p == "*" && c.Credentials {
			return nil, wrong(fmt.Sprintf("%s[%d]", field, i), given,
				"with Credentials any page could act with its visitor's cookies; list the origins, or set Credentials to false")
		}
		if !isPattern(p) {
			return nil, wrong(fmt.Sprintf("%s[%d]", field, i), given,
				`it is no pattern of an origin, as "https://example.com" is, without a path`)
		}
		own.Origins[i] = p
	}
	for i, name := range c.Headers {
		if !isToken(name) {
			return nil, wrong(fmt.Sprintf("CORS.Headers[%d]", i), name, "it is no name of a header field")
		}
	}
	return own, nil
}

// isPattern reports whether p is a pattern of handshake.Options.Origins. A
// malformed pattern allows nothing, not even what the patterns after it allow.
func isPattern(p string) bool {
	r := &http.Request{Host: "host.invalid", Header: http.Header{"Origin": {"https://origin.invalid"}}}
	return handshake.OriginAllowed(r, []string{p, "*"})
}

// allow lists the methods of the requests of long-polling.
const allow = "GET,POST"

// AnswerCORS applies Options.CORS to a request that another handler serves, such
// as one for a script. The handler calls it before it writes anything. AnswerCORS
// sets header fields of the response; if the request is a preflight it answers
// that too, with 204, and returns true.
func (s *Server) AnswerCORS(w http.ResponseWriter, r *http.Request) (answered bool) {
	c := s.o.CORS
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

// origins returns the patterns for the handshake of a WebSocket.
func (c *CORS) origins() []string {
	if c == nil {
		return nil
	}
	return c.Origins
}
