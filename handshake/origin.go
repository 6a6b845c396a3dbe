package handshake

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// An origin holds the parts of a serialised origin (RFC 6454, section 6.1).
type origin struct {
	scheme, host, port []byte // host in brackets if it is an IPv6 address; port "" if none
	authority          []byte // host [ ":" port ]
}

// parseOrigin splits scheme "://" host [ ":" port ]. Anything more, such as user
// information or a path, makes it fail. Schemes other than those of the web may do
// without a host, as in file://.
func parseOrigin(s []byte) (o origin, ok bool) {
	n := 0
	for n < len(s) && isTokenChar(s[n]) {
		n++
	}
	const separator = "://"
	if n == 0 || len(s) < n+len(separator) || string(s[n:n+len(separator)]) != separator {
		return origin{}, false
	}
	o.scheme, o.authority = s[:n], s[n+len(separator):]
	if len(o.authority) == 0 {
		return o, o.defaultPort() == ""
	}
	o.host, o.port, ok = splitHost(o.authority)
	return o, ok
}

// splitHost splits host [ ":" port ] and reports whether it is well-formed. The host
// is an IPv6 address in brackets, or a name of unreserved characters; of what RFC
// 3986, section 3.2.2 allows in a name we accept no more than these.
func splitHost(s []byte) (host, port []byte, ok bool) {
	n := 0
	if len(s) > 0 && s[0] == '[' {
		n = bytes.IndexByte(s, ']') + 1
		ok = n > 0 && isIPv6(s[1:n-1])
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

// hostChars are the unreserved characters (RFC 3986, section 2.3).
var hostChars = lettersDigitsAnd("-._~")

// isDigits reports whether s consists of at least one digit and nothing else.
func isDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}

// isIPv6 reports whether s is an IPv6 address without a zone.
func isIPv6(s []byte) bool {
	a, err := netip.ParseAddr(string(s))
	return err == nil && a.Is6() && a.Zone() == ""
}

// defaultPort returns the default port of the origin's scheme, "" if it is not known.
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
// origin's scheme is removed from both.
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

// sameFold reports whether a and b are equal without regard to the case of ASCII
// letters.
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

// sameHost is the rule without options: the origin's host and port equal those of
// the Host field, and its scheme fits the connection.
func (o origin) sameHost(host []byte, tls bool) bool {
	if len(o.authority) == 0 {
		return false
	}
	if bytes.Equal(o.authority, host) {
		return o.schemeFits(tls)
	}
	h, port, ok := splitHost(host)
	return ok && sameFold(o.host, h) && o.samePort(port) && o.schemeFits(tls)
}

// schemeFits reports whether a page with the origin's scheme may use this
// connection, if no pattern names the scheme. If TLS ended here the scheme must be
// https. On a plain connection any scheme fits, because a proxy may have ended TLS
// on the way.
func (o origin) schemeFits(tls bool) bool { return !tls || equalFold(o.scheme, "https") }

// isScheme reports whether s is a scheme (RFC 3986, section 3.1).
func isScheme(s string) bool {
	for i := range len(s) {
		letter := 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z'
		if !letter && (i == 0 || (s[i] < '0' || s[i] > '9') && s[i] != '+' && s[i] != '-' && s[i] != '.') {
			return false
		}
	}
	return s != ""
}

var errPattern = errors.New("malformed pattern")

// OriginAllowed reports whether Accept would accept the Origin field of r with
// these Options.Origins. It is for a server that has other resources than
// WebSocket connections and one list of origins for all of them. A request without
// the field is allowed. If one of the patterns is malformed, no origin is allowed.
func OriginAllowed(r *http.Request, patterns []string) bool {
	values := r.Header[fieldOrigin]
	if len(values) == 0 {
		return true
	}
	ok, err := originAllowed([]byte(values[0]), []byte(r.Host), r.TLS != nil, patterns)
	return ok && err == nil && len(values) == 1
}

// originAllowed applies the rule of Options.Origins. The error is a malformed
// pattern, even if another pattern matches.
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

// matches reports whether the origin matches [ scheme "://" ] host [ ":" port ],
// where the host may start with "*." and the port may be "*", or scheme "://" with
// "*", or with nothing where the scheme does without a host.
func (o origin) matches(pattern string, tls bool) (bool, error) {
	rest, fits := pattern, o.schemeFits(tls)
	if scheme, r, ok := strings.Cut(pattern, "://"); ok {
		if !isScheme(scheme) {
			return false, fmt.Errorf("%w %q", errPattern, pattern)
		}
		rest, fits = r, sameFold([]byte(scheme), o.scheme)
		switch {
		case rest == "*":
			return fits, nil
		case rest == "" && origin{scheme: []byte(scheme)}.defaultPort() == "":
			return fits && len(o.authority) == 0, nil
		}
	}
	rest, anyPort := strings.CutSuffix(rest, ":*")
	rest, below := strings.CutPrefix(rest, "*.")
	host, port, ok := splitHost([]byte(rest))
	if !ok || anyPort && port != nil || below && host[0] == '[' {
		return false, fmt.Errorf("%w %q", errPattern, pattern)
	}
	name := o.host
	if below {
		// Before the pattern's name there must be at least one label and a dot.
		cut := len(name) - len(host)
		if cut < 2 || name[cut-1] != '.' {
			return false, nil
		}
		name = name[cut:]
	}
	return fits && sameFold(name, host) && (anyPort || o.samePort(port)), nil
}
