package handshake

import (
	"bytes"
	"net/http"
)

// requestLine reads method SP request-target SP HTTP-version (RFC 9112, section
// 3).
func (p *parser) requestLine(line []byte) *Error {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	switch {
	case !isToken(method) || !isTarget(target):
		return badRequest("malformed request line")
	case string(version) != "HTTP/1.1":
		return badRequest("HTTP version is not 1.1")
	case string(method) != http.MethodGet:
		return badMethod()
	}
	from := len(method) + 1
	p.target = span{from, from + len(target)}
	if target[0] == '/' {
		return nil
	}
	return p.absoluteForm(target, from)
}

// isTarget reports whether s may be a request-target: visible ASCII characters
// without a fragment, percent signs before two hexadecimal digits.
func isTarget(s []byte) bool {
	for i, c := range s {
		if c <= ' ' || c >= 0x7F || c == '#' {
			return false
		}
		if c == '%' && (len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return len(s) > 0
}

func isHex(c byte) bool {
	c = lower(c)
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
}

// absoluteForm reads a target in absolute form, whose host takes the place of
// the Host field (RFC 9112, section 3.2.2). The other forms are for other
// methods.
func (p *parser) absoluteForm(target []byte, from int) *Error {
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return badRequest("malformed request target")
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if _, _, ok := splitHost(rest[:end]); !ok {
		return badRequest("malformed request target")
	}
	from += len(scheme) + len("://")
	p.host, p.absolute = span{from, from + end}, true
	return nil
}

// field reads field-name ":" OWS field-value OWS (RFC 9112, section 5), which
// starts at from in p.in.
func (p *parser) field(line []byte, from int) *Error {
	p.fields++
	if p.fields > limit(p.q.options.Limits.Fields, defaultFields) {
		return tooLarge("too many header fields")
	}
	colon := 0
	for colon < len(line) && isTokenChar(line[colon]) {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return badRequest("malformed header field") // obs-fold too, section 5.2
	}
	value := trimOWS(line[colon+1:])
	if !isFieldValue(value) {
		return badRequest("control character in a header field")
	}
	at := span{from: from + colon + 1}
	for isOWS(p.in[at.from]) && at.from < from+len(line) {
		at.from++
	}
	at.to = at.from + len(value)
	return p.take(line[:colon], value, at)
}

// take hands a field that matters to those who know what it means.
func (p *parser) take(name, value []byte, at span) *Error {
	var folded [len("sec-websocket-extensions")]byte // the longest of them
	if len(name) > len(folded) {
		return nil
	}
	for i, c := range name {
		folded[i] = lower(c)
	}
	switch string(folded[:len(name)]) {
	case "host":
		return p.takeHost(value, at)
	case "origin":
		p.q.origins++
		p.origin = at
	case "upgrade":
		p.q.addUpgrade(value)
	case "connection":
		p.q.addConnection(value)
	case "sec-websocket-key":
		p.q.addKey(value)
	case "sec-websocket-version":
		p.q.addVersion(value)
	case "sec-websocket-protocol":
		p.q.addProtocol(value)
	case "sec-websocket-extensions":
		p.q.addExtensions(value)
	case "content-length":
		if p.lengths++; p.lengths > 1 || string(value) != "0" {
			return badRequest("request has a body") // RFC 9112, section 6
		}
	case "transfer-encoding":
		return badRequest("request has a body")
	}
	return nil
}

// takeHost reads the Host field (RFC 9112, section 3.2).
func (p *parser) takeHost(value []byte, at span) *Error {
	if p.hosts++; p.hosts > 1 {
		return badRequest("more than one Host")
	}
	if _, _, ok := splitHost(value); !ok {
		return badRequest("malformed Host")
	}
	if !p.absolute {
		p.host = at
	}
	return nil
}

// complete checks what is known at the end of the head alone.
func (p *parser) complete() *Error {
	if p.hosts == 0 {
		return badRequest("no Host") // RFC 9112, section 3.2
	}
	return nil
}
