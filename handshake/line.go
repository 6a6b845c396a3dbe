package handshake

import (
	"bytes"
	"net/http"
)

// requestLine reads method SP request-target SP HTTP-version (RFC 9112, section
// 3).
func (p *parser) requestLine(line []byte) *Error {
	const method, version = http.MethodGet + " ", " HTTP/1.1"
	if len(line) < len(method+version) || string(line[:len(method)]) != method ||
		string(line[len(line)-len(version):]) != version {
		return badRequestLine(line)
	}
	at := span{len(method), len(line) - len(version)}
	target := p.view(at)
	switch {
	case !isTarget(target):
		return badRequest("malformed request line " + quote(line))
	case target[0] != '/':
		if e := p.absoluteForm(target, at.from); e != nil {
			return e
		}
	}
	p.target = at
	return nil
}

// badRequestLine returns the refusal of a request line that is not a GET of
// HTTP/1.1.
func badRequestLine(line []byte) *Error {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	switch {
	case !isToken(method) || !isTarget(target) || !bytes.HasPrefix(version, []byte("HTTP/")):
		return badRequest("malformed request line " + quote(line))
	case string(version) != "HTTP/1.1":
		return badRequest("HTTP version is " + quote(version) + ", want HTTP/1.1")
	}
	return badMethod(string(method))
}

// isTarget reports whether s can be a request-target: it has visible ASCII
// characters alone, no fragment, and after each percent sign two hexadecimal
// digits.
func isTarget(s []byte) bool {
	for i, c := range s {
		if !targetChars[c] && (c != '%' || len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return len(s) > 0
}

var targetChars = func() (t [256]bool) {
	for c := '!'; c <= '~'; c++ {
		t[c] = c != '#' && c != '%'
	}
	return t
}()

func isHex(c byte) bool {
	c = lower(c)
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
}

// absoluteForm reads a target in absolute form, whose host takes the place of the
// Host field (RFC 9112, section 3.2.2). GET has no other forms.
func (p *parser) absoluteForm(target []byte, from int) *Error {
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return badTarget(target)
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if _, _, ok := splitHost(rest[:end]); !ok {
		return badTarget(target)
	}
	from += len(scheme) + len("://")
	p.host, p.absolute = span{from, from + end}, true
	return nil
}

// badTarget returns the refusal of a malformed request target.
func badTarget(target []byte) *Error {
	return badRequest("malformed request target " + quote(target))
}

// field reads field-name ":" OWS field-value OWS (RFC 9112, section 5). from is the
// index of the line in p.in.
func (p *parser) field(line []byte, from int) *Error {
	p.fields++
	if most := limit(p.q.options.Limits.Fields, defaultFields); p.fields > most {
		return tooLarge("header", most, "fields")
	}
	n, colon := knownName(line)
	if n == otherName {
		for colon < len(line) && isTokenChar(line[colon]) {
			colon++
		}
		if colon == 0 || colon == len(line) || line[colon] != ':' {
			return badRequest("malformed header field " + quote(line)) // obs-fold too, section 5.2
		}
	}
	v := span{colon + 1, len(line)}
	for v.from < v.to && isOWS(line[v.from]) {
		v.from++
	}
	for v.from < v.to && isOWS(line[v.to-1]) {
		v.to--
	}
	return p.take(n, line[v.from:v.to], span{from + v.from, from + v.to})
}

// A name is the name of a field that matters here.
type name int

const (
	otherName name = iota
	hostName
	originName
	upgradeName
	connectionName
	keyName
	versionName
	protocolName
	extensionsName
	contentLengthName
	transferEncodingName
)

// names holds the names by the lower five bits of their first letter, which do not
// depend on its case.
var names = [32][]struct {
	text string
	name name
}{
	'c' % 32: {{"connection", connectionName}, {"content-length", contentLengthName}},
	'h' % 32: {{"host", hostName}},
	'o' % 32: {{"origin", originName}},
	's' % 32: {
		{"sec-websocket-key", keyName},
		{"sec-websocket-version", versionName},
		{"sec-websocket-extensions", extensionsName},
		{"sec-websocket-protocol", protocolName},
	},
	't' % 32: {{"transfer-encoding", transferEncodingName}},
	'u' % 32: {{"upgrade", upgradeName}},
}

// knownName returns the name that the line starts with, and its length, or
// otherName and 0. The line is not empty.
func knownName(line []byte) (n name, length int) {
	for _, known := range names[line[0]%32] {
		end := len(known.text)
		if end < len(line) && line[end] == ':' && foldsTo(line[:end], known.text) {
			return known.name, end
		}
	}
	return otherName, 0
}

// take evaluates a field. at is the position of the value in p.in.
func (p *parser) take(n name, value []byte, at span) *Error {
	switch n {
	case hostName:
		return p.takeHost(value, at)
	case originName:
		p.q.origins++
		p.origin = at
	case upgradeName:
		p.q.addUpgrade(value)
	case connectionName:
		p.q.addConnection(value)
	case keyName:
		p.q.addKey(value)
	case versionName:
		p.q.addVersion(value)
	case protocolName:
		p.q.addProtocol(value)
	case extensionsName:
		p.q.addExtensions(value)
	case contentLengthName:
		// RFC 9112, section 6
		if p.lengths++; p.lengths > 1 {
			return badRequest(tooMany("Content-Length", p.lengths))
		}
		if string(value) != "0" {
			return hasBody("Content-Length", value)
		}
	case transferEncodingName:
		return hasBody("Transfer-Encoding", value)
	}
	return nil
}

// takeHost reads the Host field (RFC 9112, section 3.2).
func (p *parser) takeHost(value []byte, at span) *Error {
	if p.hosts++; p.hosts > 1 {
		return badRequest(tooMany("Host", p.hosts))
	}
	if _, _, ok := splitHost(value); !ok {
		return badRequest("malformed Host " + quote(value))
	}
	if !p.absolute {
		p.host = at
	}
	return nil
}

// complete checks what is known only at the end of the head.
func (p *parser) complete() *Error {
	if p.hosts == 0 {
		return badRequest("no Host field, want one") // RFC 9112, section 3.2
	}
	p.whole = true
	return nil
}
