package handshake

import (
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
	h := Opening{Options: o}
	defer h.Release()
	return h.Accept(nc)
}

// Accept does what is left of the handshake on nc, as AcceptConn does: all of it, or
// what follows the bytes that Take has taken, be it the response alone. It sets Peer to
// nc. Limits.Timeout counts from its call. Whatever it returns, Request and Release may
// be called afterwards.
func (h *Opening) Accept(nc net.Conn) (*Result, error) {
	accepted := false
	defer func() {
		if !accepted {
			abort(nc)
		}
	}()
	h.Peer = nc
	g := guarded(nc, h.Timeout())
	err := g.stop(h.converse(nc))
	switch {
	case h.refusal != nil:
		if err == nil {
			h.p.linger(nc)
		}
		return nil, h.refusal
	case err != nil:
		return nil, fmt.Errorf("websocket: accept: %w", err)
	}
	accepted = true
	h.result.Conn = nc
	return h.result, nil
}

// converse reads the request, as far as that has not been done, and writes the
// response. The error is the connection's; it may come with a refusal that was to be
// written.
func (h *Opening) converse(nc net.Conn) error {
	for done := h.result != nil || h.refusal != nil; !done; {
		n, err := h.read(nc)
		if err != nil {
			return err
		}
		done = h.Take(n)
	}
	if h.refusal == nil {
		_, err := nc.Write(h.Response(time.Time{}))
		return err
	}
	_, err := nc.Write(h.Response(time.Now()))
	if c, ok := nc.(interface{ CloseWrite() error }); ok && err == nil {
		c.CloseWrite()
	}
	return err
}

// read reads more of the request: n bytes, or an error.
func (h *Opening) read(r io.Reader) (n int, err error) {
	room := h.Room()
	for range 100 {
		n, err := r.Read(room)
		switch {
		case n > 0:
			return n, nil // if there is an error too, the next read returns it again
		case err == io.EOF && h.p.n > 0:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// linger gives a refused peer a moment to read the answer. To close a connection
// while there are unread bytes resets it, and the reset can overtake the answer.
func (p *parser) linger(nc net.Conn) {
	g := guarded(nc, lingerTime)
	defer g.stop(nil)
	b := p.in[p.n:]
	if len(b) < cap(p.out) {
		b = p.out[:cap(p.out)] // the response is out; Request may still need the head
	}
	for left := lingerBytes; left > 0; {
		n, err := nc.Read(b)
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
