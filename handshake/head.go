package handshake

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// A parser reads the head of one request (RFC 9112, sections 2 to 5). It is strict:
// lines end in CR LF, no line is folded, and there are no control characters. It
// looks at each byte once, however they arrive. Its memory is used again for other
// requests.
type parser struct {
	in      []byte // in[:n] has been read
	n       int
	line    int    // the start of the line that is being read, and at last of what follows the head
	scanned int    // in[line:scanned] has no control characters
	out     []byte // the response
	q       request

	target, host, origin span
	started              bool          // the request line has been read
	absolute             bool          // the target has a host, which replaces that of the Host field
	hosts, lengths       int           // the number of Host and Content-Length fields
	fields               int           // the number of all fields
	whole                bool          // the head has come to its end, and is well-formed
	made                 *http.Request // by request; nil before
}

// A span is a part of parser.in. Unlike a slice it stays valid when in grows.
type span struct{ from, to int }

func (p *parser) view(s span) []byte { return p.in[s.from:s.to] }

const (
	readBytes = 4 << 10  // the most that is read at once
	keepBytes = 64 << 10 // larger buffers are not kept
)

var parsers = sync.Pool{New: func() any {
	return &parser{in: make([]byte, readBytes), out: make([]byte, 0, 512)}
}}

// reset prepares the parser for a request.
func (p *parser) reset(o *Options) {
	in, out := p.in, p.out[:0]
	*p = parser{}
	p.in, p.out, p.q.options = in, out, o
}

// release returns the parser to the pool, unless a request has made it large.
func (p *parser) release() {
	if p.small() {
		p.q.options, p.made = nil, nil
		parsers.Put(p)
	}
}

// small reports whether the parser is small enough to keep.
func (p *parser) small() bool { return len(p.in) <= keepBytes && cap(p.out) <= keepBytes }

// room returns where more of the request is to be read into.
func (p *parser) room() []byte {
	if p.n == len(p.in) {
		p.in = append(p.in, make([]byte, len(p.in))...)
	}
	end := min(p.n+readBytes, len(p.in))
	return p.in[p.n:end:end] // nothing after it can be taken
}

// parse evaluates the lines that have arrived, and reports whether the last line
// of the head was among them.
func (p *parser) parse() (done bool, e *Error) {
	limits := &p.q.options.Limits
	mostHead := limit(limits.HeadBytes, defaultHeadBytes)
	mostLine := limit(limits.LineBytes, defaultLineBytes)
	in, line, seen := p.in[:p.n], p.line, p.scanned
	for !done && e == nil {
		// A line has no control characters, so the first one is the line's end
		// or an error.
		end := seen + indexControl(in[seen:])
		if end-line > mostLine {
			return false, p.tooLong(mostLine)
		}
		if end+2 > len(in) || in[end] != '\r' || in[end+1] != '\n' {
			p.scanned = end
			if end > mostHead {
				return false, tooLarge("request head", mostHead, "bytes")
			}
			return false, notEnded(in[line:end], in[end:])
		}
		from := line
		line, seen = end+2, end+2
		if line > mostHead {
			return false, tooLarge("request head", mostHead, "bytes")
		}
		p.line, p.scanned = line, seen
		switch {
		case !p.started:
			p.started = true
			e = p.requestLine(in[:end])
		case from == end:
			done, e = true, p.complete()
		default:
			e = p.field(in[from:end], from)
		}
	}
	return done, e
}

// notEnded returns what is wrong with a line that is not complete: nil if the rest
// of it may still come. rest is what follows the line; it is empty or begins with a
// control character.
func notEnded(line, rest []byte) *Error {
	switch {
	case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
		return nil
	case rest[0] == '\r', rest[0] == '\n':
		return badRequest("line " + quote(line) + " does not end in CR LF") // RFC 9112, section 2.2
	}
	return badRequest("control character " + quote(rest[:1]) + " in the line after " + quote(line))
}

// tooLong returns the refusal of the line that is being read, for its length.
func (p *parser) tooLong(most int) *Error {
	if !p.started {
		return refuse(http.StatusRequestURITooLong, longer("request line", most, "bytes"))
	}
	return tooLarge("header field", most, "bytes")
}

func tooLarge(what string, most int, units string) *Error {
	return refuse(http.StatusRequestHeaderFieldsTooLarge, longer(what, most, units))
}

func longer(what string, most int, units string) string {
	return what + " has more than " + strconv.Itoa(most) + " " + units
}

func badRequest(reason string) *Error { return refuse(http.StatusBadRequest, reason) }

// originField returns the value of the Origin field, nil if there is none.
func (p *parser) originField() []byte {
	if p.q.origins == 0 {
		return nil
	}
	return p.view(p.origin)
}

// targetString returns the request target. That of the root costs no allocation.
func (p *parser) targetString() string {
	if p.target.to-p.target.from == 1 {
		return "/"
	}
	return string(p.view(p.target))
}

// A tlsConn is a connection with TLS.
type tlsConn interface{ ConnectionState() tls.ConnectionState }

// request returns the request in net/http's form, the same one each time. If
// net/url finds something wrong with the target there is a refusal, too.
func (p *parser) request(peer Peer, target string) (*http.Request, *Error) {
	if p.made != nil {
		return p.made, nil
	}
	r := newRequest(peer)
	if target == "" { // the request line is not understood
		return r, nil
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		e := badTarget([]byte(target))
		e.Err = err
		return r, e
	}
	r.Method, r.URL, r.RequestURI = http.MethodGet, u, target
	if p.whole {
		r.Host, r.Header = string(p.view(p.host)), p.header()
	}
	p.made = r
	return r, nil
}

// newRequest returns a request of which nothing is known but its peer.
func newRequest(peer Peer) *http.Request {
	r := &http.Request{
		URL: new(url.URL), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody,
	}
	if a := peer.RemoteAddr(); a != nil {
		r.RemoteAddr = a.String()
	}
	if c, ok := peer.(tlsConn); ok {
		state := c.ConnectionState()
		r.TLS = &state
	}
	return r
}

// header returns the header. Like net/http it leaves out Host.
func (p *parser) header() http.Header {
	head := string(p.in[:p.line])
	h := make(http.Header, p.fields)
	_, head, _ = strings.Cut(head, "\r\n")
	for range p.fields {
		line, rest, _ := strings.Cut(head, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.Trim(value, " \t"))
		head = rest
	}
	delete(h, "Host")
	return h
}
