package engineio

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyws/parley/handshake"
)

// CORS lets pages of other origins use a server (Fetch Standard, "CORS
// protocol"). Origins and Allow also decide which pages may open a WebSocket, which
// the CORS protocol does not cover.
type CORS struct {
	// Origins are patterns as in handshake.Options: "https://example.com",
	// "https://*.example.com", "http://localhost:5173", "capacitor://localhost",
	// "file://"; "vscode-webview://*" is all origins of a scheme, "*" is any
	// origin. A slash at the end is ignored.
	Origins []string
	// Allow decides on an origin that is neither the server's own nor matches a
	// pattern. The goroutine of the request calls it, with no lock held; r's
	// body is not to be read. It may be called twice for a request. nil allows
	// none.
	Allow func(r *http.Request, origin string) bool
	// Credentials lets pages send cookies along. It can't be combined with the
	// patterns "*", "http://*" and "https://*": any page could then act with its
	// visitor's cookies.
	Credentials bool
	// Headers names the header fields that pages may set. nil allows whatever
	// fields they ask for.
	Headers []string
	// Methods are those that a preflight is told. nil is GET and POST, which are
	// all that the server serves.
	Methods []string
	// Exposed names the header fields of responses that pages may read, beside
	// those that they always may.
	Exposed []string
	// MaxAge is how long browsers may keep the answer to a preflight, in whole
	// seconds. Zero leaves that to them.
	MaxAge time.Duration
}

// resolve returns a copy of c without the slashes at the end of its patterns, or
// what is wrong with c.
func (c *CORS) resolve() (*CORS, error) {
	own := *c
	own.Origins = make([]string, len(c.Origins))
	for i, given := range c.Origins {
		field := fmt.Sprintf("CORS.Origins[%d]", i)
		p := given
		if !strings.HasSuffix(p, "://") {
			p = strings.TrimSuffix(p, "/")
		}
		if c.Credentials && (p == "*" || strings.EqualFold(p, "https://*") || strings.EqualFold(p, "http://*")) {
			return nil, wrong(field, given,
				"with Credentials any page could act with its visitor's cookies; list the origins, or set Credentials to false")
		}
		if !isPattern(p) {
			return nil, wrong(field, given, `it is no pattern of an origin, as "https://example.com" is, without a path`)
		}
		own.Origins[i] = p
	}
	for _, list := range []struct {
		field string
		names []string
		kind  string
	}{{"Headers", c.Headers, "header field"}, {"Methods", c.Methods, "method"}, {"Exposed", c.Exposed, "header field"}} {
		for i, name := range list.names {
			if !isToken(name) {
				return nil, wrong(fmt.Sprintf("CORS.%s[%d]", list.field, i), name, "it is no name of a "+list.kind)
			}
		}
	}
	own.Headers, own.Methods, own.Exposed = slices.Clone(c.Headers), slices.Clone(c.Methods), slices.Clone(c.Exposed)
	if c.MaxAge < 0 || c.MaxAge%time.Second != 0 {
		return nil, wrong("CORS.MaxAge", c.MaxAge, "it must be whole seconds, or zero")
	}
	if own.Methods == nil {
		own.Methods = []string{http.MethodGet, http.MethodPost}
	}
	return &own, nil
}

// allows reports whether the page that sends r may use the server. c may be nil.
func (c *CORS) allows(r *http.Request) bool {
	if c == nil {
		return handshake.OriginAllowed(r, nil)
	}
	origins := r.Header.Values("Origin")
	return handshake.OriginAllowed(r, c.Origins) || len(origins) == 1 && c.Allow != nil && c.Allow(r, origins[0])
}

// isPattern reports whether p is a pattern of handshake.Options.Origins. A
// malformed pattern allows nothing, not even what the patterns after it allow.
func isPattern(p string) bool {
	r := &http.Request{Host: "host.invalid", Header: http.Header{"Origin": {"https://origin.invalid"}}}
	return handshake.OriginAllowed(r, []string{p, "*"})
}

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
	case len(c.Origins) == 1 && c.Origins[0] == "*": // without Credentials, as resolve sees to
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		h.Add("Vary", "Origin")
		if origin != "" && c.allows(r) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Exposed) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.Exposed, ","))
	}
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ","))
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
	}
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
