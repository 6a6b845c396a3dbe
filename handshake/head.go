package handshake

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// A parser reads the head of one request (RFC 9112, sections 2 to 5), strictly:
// lines end in CR LF, nothing is folded, no control characters. It looks at
// each octet once however they arrive, and its memory is used again.
type parser struct {
	in      []byte // octets read: in[:n]
	n       int
	line    int // start of the line that is being read; at the end, of what follows the head
	scanned int // no end of a line before it but those of earlier lines
	out     []byte
	q       request

	target, host, origin span
	started              bool // the request line has been read
	absolute             bool // the target names the host, which overrules the Host field
	hosts, lengths       int  // how often the field came
	fields               int
}

// A span is a part of parser.in, which may move.
type span struct{ from, to int }

func (p *parser) view(s span) []byte { return p.in[s.from:s.to] }

const (
	readBytes = 4 << 10  // most octets taken in one read
	keepBytes = 64 << 10 // larger buffers are left to the collector
)

var parsers = sync.Pool{New: func() any {
	return &parser{in: make([]byte, readBytes), out: make([]byte, 0, 512)}
}}

// reset makes the parser ready for a request.
func (p *parser) reset(o *Options) {
	*p = parser{in: p.in, out: p.out[:0], q: request{options: o}}
}

// release gives the parser back.
func (p *parser) release() {
	if len(p.in) <= keepBytes && cap(p.out) <= keepBytes {
		p.q.options = nil
		parsers.Put(p)
	}
}

// fill reads some more octets.
func (p *parser) fill(r io.Reader) error {
	if p.n == len(p.in) {
		p.in = append(p.in, make([]byte, len(p.in))...)
	}
	for range 100 {
		n, err := r.Read(p.in[p.n:min(p.n+readBytes, len(p.in))])
		p.n += n
		switch {
		case n > 0:
			return nil // an error comes again
		case err == io.EOF && p.n > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// parse takes in the lines that have arrived, and reports whether the last one
// was among them.
func (p *parser) parse() (done bool, e *Error) {
	limits := &p.q.options.Limits
	mostHead := limit(limits.HeadBytes, defaultHeadBytes)
	mostLine := limit(limits.LineBytes, defaultLineBytes)
	for {
		end, whole := p.n, false
		if i := bytes.IndexByte(p.in[p.scanned:p.n], '\n'); i >= 0 {
			end, whole = p.scanned+i+1, true
		}
		p.scanned = end
		// Of the end of the line, CR may have come without LF.
		if end-p.line > 2 && end-p.line-2 > mostLine {
			return false, p.tooLong()
		}
		if end > mostHead {
			return false, tooLarge("request head is too large")
		}
		if !whole {
			return false, nil
		}
		line := p.in[p.line : end-1]
		from := p.line
		p.line = end
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return false, badRequest("line does not end in CR LF")
		}
		line = line[:len(line)-1]
		switch {
		case !p.started:
			p.started = true
			e = p.requestLine(line)
		case len(line) == 0:
			return true, p.complete()
		default:
			e = p.field(line, from)
		}
		if e != nil {
			return false, e
		}
	}
}

// tooLong returns the refusal of the line that is being read.
func (p *parser) tooLong() *Error {
	if !p.started {
		return refuse(http.StatusRequestURITooLong, "request line is too long")
	}
	return tooLarge("header field is too long")
}

func tooLarge(reason string) *Error {
	return refuse(http.StatusRequestHeaderFieldsTooLarge, reason)
}

func badRequest(reason string) *Error { return refuse(http.StatusBadRequest, reason) }

// originField returns the value of the Origin field, nil if there is none.
func (p *parser) originField() []byte {
	if p.q.origins == 0 {
		return nil
	}
	return p.view(p.origin)
}

// targetString returns the request target, without an allocation if it is that
// of the root.
func (p *parser) targetString() string {
	if p.target.to-p.target.from == 1 {
		return "/"
	}
	return string(p.view(p.target))
}

// tlsConn is what a connection with TLS has.
type tlsConn interface{ ConnectionState() tls.ConnectionState }

// request returns the request in net/http's form, for hooks.
func (p *parser) request(nc net.Conn, target string) (*http.Request, *Error) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Reason: "malformed request target", Err: err}
	}
	r := &http.Request{
		Method: http.MethodGet, URL: u, RequestURI: target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: p.header(), Host: string(p.view(p.host)), Body: http.NoBody,
	}
	if a := nc.RemoteAddr(); a != nil {
		r.RemoteAddr = a.String()
	}
	if c, ok := nc.(tlsConn); ok {
		state := c.ConnectionState()
		r.TLS = &state
	}
	return r, nil
}

// header returns the header fields. Like net/http it leaves Host out.
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
