package handshake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// AcceptConn reads a WebSocket handshake from nc and answers it (RFC 6455,
// section 4.2), without net/http. o may be nil. A *tls.Conn does its own
// handshake within the timeout.
//
// When the request is refused the response has been written and the error is an
// *Error; any other error comes from the connection. In both cases nc has been
// closed. AcceptConn reads less than 4 KiB beyond the request.
func AcceptConn(nc net.Conn, o *Options) (res *Result, err error) {
	if o == nil {
		o = &noOptions
	}
	defer func() {
		if res == nil { // an error, or a panic of a hook or of a method of nc
			nc.Close()
		}
	}()
	var watchdog *time.Timer
	deadline := o.Limits.deadline()
	if nc.SetDeadline(deadline) != nil && !deadline.IsZero() {
		watchdog = time.AfterFunc(time.Until(deadline), func() { nc.Close() })
	}
	p := parsers.Get().(*parser)
	agreed, err := p.accept(nc, o)
	p.release()
	if watchdog != nil && !watchdog.Stop() && err == nil {
		err = os.ErrDeadlineExceeded
	}
	if err == nil {
		nc.SetDeadline(time.Time{})
		return agreed, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e
	}
	return nil, fmt.Errorf("websocket: accept: %w", err)
}

// accept reads the request, decides, and answers.
func (p *parser) accept(nc net.Conn, o *Options) (*Result, error) {
	p.reset(o)
	err := p.readHead(nc)
	var res *Result
	if err == nil {
		res, err = p.decide(nc)
	}
	if e, ok := errors.AsType[*Error](err); ok {
		p.refuse(nc, e)
	}
	if err != nil {
		return nil, err
	}
	if _, err := nc.Write(p.out); err != nil {
		return nil, err
	}
	return res, nil
}

// readHead reads up to the empty line that ends the header.
func (p *parser) readHead(r io.Reader) error {
	for {
		done, e := p.parse()
		if e != nil {
			return e
		}
		if done {
			return nil
		}
		if err := p.fill(r); err != nil {
			return err
		}
	}
}

// decide applies the rules to a request that was read and makes the response.
func (p *parser) decide(nc net.Conn) (*Result, error) {
	o := p.q.options
	if e := p.q.check(); e != nil {
		return nil, e
	}
	if e := o.check(); e != nil {
		return nil, e
	}
	res := p.q.result()
	res.Conn, res.Target = nc, p.targetString()
	p.q.answerKey()
	p.out = p.q.appendResponse(p.out[:0])
	if o.CheckOrigin == nil {
		_, tls := nc.(tlsConn)
		if e := o.checkOrigin(p.originField(), p.view(p.host), tls); e != nil {
			return nil, e
		}
	}
	if o.CheckOrigin != nil || o.Before != nil || o.KeepHeader {
		if err := p.hooks(nc, res); err != nil {
			return nil, err
		}
	}
	p.out = append(p.out, "\r\n"...)
	if rest := p.in[p.line:p.n]; len(rest) > 0 {
		res.Buffered = bytes.Clone(rest)
	}
	return res, nil
}

// hooks does what needs the request in net/http's form.
func (p *parser) hooks(nc net.Conn, res *Result) error {
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

// refuse sends the refusal and waits a moment for the peer to have read it:
// closing a connection with unread octets resets it, and the reset can
// overtake what was sent.
func (p *parser) refuse(nc net.Conn, e *Error) {
	p.out = e.append(p.out[:0])
	if _, err := nc.Write(p.out); err != nil {
		return
	}
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	nc.SetReadDeadline(time.Now().Add(lingerTime))
	for left := lingerBytes; left > 0; {
		n, err := nc.Read(p.in)
		if err != nil {
			return
		}
		left -= max(n, 1)
	}
}

// How long, and for how many octets, a refused peer is listened to.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)
