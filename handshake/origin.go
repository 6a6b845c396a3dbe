package handshake

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// An origin is a serialised origin (RFC 6454, section 6.1) in its parts.
type origin struct {
	scheme, host, port []byte // host in brackets if it is an IPv6 address; port "" if none
	authority          []byte // host [ ":" port ]
}

// parseOrigin splits scheme "://" host [ ":" port ], and nothing else: no user
// information, no path.
func parseOrigin(s []byte) (o origin, ok bool) {
	n := 0
	for n < len(s) && isTokenChar(s[n]) {
		n++
	}
	const behind = "://"
	if n == 0 || len(s) < n+len(behind) || string(s[n:n+len(behind)]) != behind {
		return origin{}, false
	}
	o.scheme, o.authority = s[:n], s[n+len(behind):]
	o.host, o.port, ok = splitHost(o.authority)
	return o, ok
}

// splitHost splits host [ ":" port ] and reports whether it is well-formed: of
// what RFC 3986, section 3.2.2 allows in a name, the unreserved characters
// alone; or an IPv6 address in brackets.
func splitHost(s []byte) (host, port []byte, ok bool) {
	n := 0
	if len(s) > 0 && s[0] == '[' {
		n = bytes.IndexByte(s, ']') + 1
		ok = isIPLiteral(s[:n])
	} else {
		for n < len(s) && hostChars[s[n]] {
			n++
		}
		ok = n > 0
	}
	host = s[:n]
	if n < len(s) {
		port = s[n+1:]
		ok = ok && s[n] == ':' && isDigits(port)
	}
	return host, port, ok
}

// hostChars are the unreserved characters of RFC 3986, section 2.3.
var hostChars = lettersDigitsAnd("-._~")

// isDigits reports whether s is a number, of at least one digit.
func isDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}

// isIPLiteral reports whether s is an IPv6 address in brackets, without a zone.
func isIPLiteral(s []byte) bool {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	a, err := netip.ParseAddr(string(s[1 : len(s)-1]))
	return err == nil && a.Is6() && a.Zone() == ""
}

// defaultPort returns the port that the origin's scheme stands for, "" if it is
// not known.
func (o origin) defaultPort() string {
	switch {
	case equalFold(o.scheme, "http"), equalFold(o.scheme, "ws"):
		return "80"
	case equalFold(o.scheme, "https"), equalFold(o.scheme, "wss"):
		return "443"
	}
	return ""
}

// samePort reports whether the ports are equal once the default port of the
// origin's scheme is taken away from both.
func (o origin) samePort(port []byte) bool {
	d := o.defaultPort()
	a, b := o.port, port
	if string(a) == d {
		a = nil
	}
	if string(b) == d {
		b = nil
	}
	return bytes.Equal(a, b)
}

// sameFold reports whether a and b are equal, ASCII letters of any case.
func sameFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// sameHost is the rule without options: the origin's host and port are those of
// the Host header field. On a connection whose TLS ended here its scheme must
// be https; on a plain one the scheme is not compared, since a proxy may have
// ended TLS before us.
func (o origin) sameHost(host []byte, tls bool) bool {
	if bytes.Equal(o.authority, host) {
		return o.schemeFits(tls)
	}
	h, port, ok := splitHost(host)
	return ok && sameFold(o.host, h) && o.samePort(port) && o.schemeFits(tls)
}

// schemeFits reports whether a page of that scheme may come over this
// connection when nobody has named the scheme.
func (o origin) schemeFits(tls bool) bool { return !tls || equalFold(o.scheme, "https") }

var errPattern = errors.New("malformed pattern")

// OriginAllowed reports whether Accept would take the Origin of r with these
// Options.Origins: for a server that has other resources beside the WebSocket,
// and one list for all. A request without the field is allowed. Where one of the
// patterns is malformed no origin is.
func OriginAllowed(r *http.Request, patterns []string) bool {
	values := r.Header[fieldOrigin]
	if len(values) == 0 {
		return true
	}
	ok, err := originAllowed([]byte(values[0]), []byte(r.Host), r.TLS != nil, patterns)
	return ok && err == nil && len(values) == 1
}

// originAllowed applies the rule of Options.Origins. An error is a malformed
// pattern, whether or not another one matches.
func originAllowed(value, host []byte, tls bool, patterns []string) (allowed bool, err error) {
	o, ok := parseOrigin(value)
	allowed = ok && o.sameHost(host, tls)
	for _, p := range patterns {
		match := p == "*" || p == "null" && string(value) == "null"
		if p != "*" && p != "null" {
			if match, err = o.matches(p, tls); err != nil {
				return false, err
			}
			match = match && ok
		}
		allowed = allowed || match
	}
	return allowed, nil
}

// matches reports whether the origin fits [ scheme "://" ] host [ ":" port ],
// where the host may start with "*." and the port may be "*".
func (o origin) matches(pattern string, tls bool) (bool, error) {
	rest, fits := pattern, o.schemeFits(tls)
	if scheme, r, ok := strings.Cut(pattern, "://"); ok {
		if !isToken([]byte(scheme)) {
			return false, fmt.Errorf("%w %q", errPattern, pattern)
		}
		rest, fits = r, sameFold([]byte(scheme), o.scheme)
	}
	rest, anyPort := strings.CutSuffix(rest, ":*")
	rest, below := strings.CutPrefix(rest, "*.")
	host, port, ok := splitHost([]byte(rest))
	if !ok || anyPort && port != nil || below && host[0] == '[' {
		return false, fmt.Errorf("%w %q", errPattern, pattern)
	}
	name := o.host
	if below {
		// At least one label, and the dot, stand before the name.
		cut := len(name) - len(host)
		if cut < 2 || name[cut-1] != '.' {
			return false, nil
		}
		name = name[cut:]
	}
	return fits && sameFold(name, host) && (anyPort || o.samePort(port)), nil
}
