package handshake

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"time"
)

// AcceptConn reads a WebSocket handshake from nc and answers it (RFC 6455,
// section 4.2), without net/http. o may be nil. If nc is a *tls.Conn, its TLS
// handshake has to be over within the timeout, too.
//
// If AcceptConn refuses the request, it has written the response, and the error
// is an *Error. Any other error comes from the connection. In both cases, and if
// a hook or a method of nc panics, nc is closed. AcceptConn reads less than 4 KiB
// beyond the request.
func AcceptConn(nc net.Conn, o *Options) (*Result, error) {
	if o == nil {
		o = &noOptions
	}
	accepted := false
	defer func() {
		if !accepted {
			abort(nc)
		}
	}()
	p := parsers.Get().(*parser)
	p.reset(o)
	g := guarded(nc, o.Limits.timeout())
	res, refusal, err := p.accept(nc)
	err = g.stop(err)
	if refusal != nil && err == nil {
		p.linger(nc)
	}
	p.release()
	switch {
	case refusal != nil:
		return nil, refusal
	case err != nil:
		return nil, fmt.Errorf("websocket: accept: %w", err)
	}
	accepted = true
	return res, nil
}

// accept reads the request, decides, and answers. The error is the connection's;
// a refusal may come with one.
func (p *parser) accept(nc net.Conn) (*Result, *Error, error) {
	refusal, err := p.readHead(nc)
	if err != nil {
		return nil, nil, err
	}
	res, refusal := p.decide(nc, refusal)
	if refusal != nil {
		return nil, refusal, p.refuse(nc, refusal)
	}
	_, err = nc.Write(p.out)
	return res, nil, err
}

// readHead reads up to the empty line that ends the header, or as far as the head
// is well-formed.
func (p *parser) readHead(r io.Reader) (*Error, error) {
	for {
		if done, e := p.parse(); done || e != nil {
			return e, nil
		}
		if err := p.fill(r); err != nil {
			return nil, err
		}
	}
}

// decide applies the rules to the request and makes the response in p.out.
// malformed is what is wrong with the head, nil if nothing is. Wrong options come
// first, so that no request can hide them.
func (p *parser) decide(nc net.Conn, malformed *Error) (*Result, *Error) {
	o := p.q.options
	_, tls := nc.(tlsConn)
	allowed, err := o.judge(p.originField(), p.view(p.host), tls)
	if err != nil {
		return nil, badOption(err)
	}
	if malformed != nil {
		return nil, malformed
	}
	if e := p.q.check(p.header); e != nil {
		return nil, e
	}
	if !allowed && o.CheckOrigin == nil {
		return nil, badOrigin(p.originField(), p.view(p.host))
	}
	res := p.q.result()
	res.Conn, res.Target = nc, p.targetString()
	p.q.answerKey()
	p.out = p.q.appendResponse(p.out[:0])
	if o.CheckOrigin != nil || o.Before != nil || o.KeepHeader {
		if e := p.hooks(nc, res); e != nil {
			return nil, e
		}
	}
	p.out = append(p.out, "\r\n"...)
	if rest := p.in[p.line:p.n]; len(rest) > 0 {
		res.Buffered = bytes.Clone(rest)
	}
	return res, nil
}

// hooks does everything that needs the request in net/http's form.
func (p *parser) hooks(nc net.Conn, res *Result) *Error {
	r, e := p.request(nc, res.Target)
	if e != nil {
		return e
	}
	o := p.q.options
	if o.CheckOrigin != nil && !o.CheckOrigin(r) {
		return badOrigin(p.originField(), p.view(p.host))
	}
	h, e := o.before(r)
	if e != nil {
		return e
	}
	p.out = appendHeader(p.out, h)
	res.Header = r.Header
	return nil
}

// refuse sends the refusal and ends our direction of the stream.
func (p *parser) refuse(nc net.Conn, e *Error) error {
	p.out = e.append(p.out[:0])
	if _, err := nc.Write(p.out); err != nil {
		return err
	}
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	return nil
}

// linger gives a refused peer a moment to read the answer. To close a connection
// while there are unread bytes resets it, and the reset can overtake the answer.
func (p *parser) linger(nc net.Conn) {
	g := guarded(nc, lingerTime)
	defer g.stop(nil)
	for left := lingerBytes; left > 0; {
		n, err := nc.Read(p.in)
		if err != nil {
			return
		}
		left -= max(n, 1)
	}
}

// The bounds of linger.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)
