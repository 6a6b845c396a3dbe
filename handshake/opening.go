package handshake

import (
	"bytes"
	"net"
	"net/http"
	"time"
)

// An Opening is the opening handshake of a server without its I/O (RFC 6455,
// section 4.2): the bytes of a request go in, and the bytes of the response come
// out. It has every rule of AcceptConn, which is an Opening with the I/O of a
// net.Conn, and it is for servers that read and write by themselves.
//
//	h := handshake.Opening{Options: o, Peer: peer}
//	for done := false; !done; {
//		n := read(h.Room())
//		done = h.Take(n)
//	}
//	write(h.Response(time.Now()))
//	result, err := h.Result()
//	h.Release()
//
// An Opening neither waits nor has a clock, so four things are left to its owner:
// the time that a handshake may take (Limits.Timeout); the stream that ends before
// the request does; to end its direction of the stream after a refusal; and to
// listen to a refused peer for a moment before the stream is closed, since the
// reset that follows a close with unread bytes can overtake the response.
//
// Accept does all of this on a net.Conn that blocks, from wherever the Opening has
// come to.
//
// It holds memory from Room to Release: 5 KiB, and more only for a head that is
// larger. A server with many silent peers calls Room when there is something to
// read. Release makes an Opening ready for another handshake. All calls must come
// from one goroutine at a time.
type Opening struct {
	// Options must not change before Release; nil is the defaults.
	Options *Options
	// Peer is asked for hooks and by Request. If it has the method ConnectionState
	// of a *tls.Conn, the request came over TLS. Every net.Conn is a Peer.
	Peer Peer

	p       *parser // nil while no memory is needed
	result  *Result // set by Take when the request is accepted
	refusal *Error  // set by Take when it is refused
}

// A Peer says who the client of an Opening is.
type Peer interface{ RemoteAddr() net.Addr }

// Room returns where the next bytes of the request are to be read into: at most
// 4 KiB, and at least one byte. It is valid until the next call of Take or Release.
// Because no more is read at once, an Opening gets less than 4 KiB of what follows
// the request. Room must not be called after Take has returned true.
func (h *Opening) Room() []byte {
	if h.p == nil {
		h.p = parsers.Get().(*parser)
		h.p.reset(h.options())
	}
	return h.p.room()
}

// Take takes the first n bytes of Room, and reports whether there is an answer. It
// calls the hooks of Options, in the order and under the conditions that AcceptConn
// does. Take(0) gives the memory back if no byte has come yet. Take panics if n is
// not between 0 and the length of Room.
func (h *Opening) Take(n int) (done bool) {
	p := h.p
	if p == nil || n == 0 && p.n == 0 {
		h.Release()
		return false
	}
	p.n += len(p.room()[:n])
	done, malformed := p.parse()
	if !done && malformed == nil {
		return false
	}
	h.result, h.refusal = p.decide(h.Peer, malformed)
	return true
}

// Result returns what the handshake has come to after Take has returned true: a
// Result, whose Conn is left to the caller, or an *Error. Both are the caller's.
func (h *Opening) Result() (*Result, error) {
	if h.refusal != nil {
		return nil, h.refusal
	}
	return h.result, nil
}

// Response returns the response after Take has returned true. It is valid until
// Release. now is the Date of a refusal; a 101 has none.
func (h *Opening) Response(now time.Time) []byte {
	if h.refusal != nil {
		h.p.out = h.refusal.append(h.p.out[:0], now)
	}
	return h.p.out
}

// Request returns the request in net/http's form, the one that hooks have seen if
// there are any. It is never nil, and belongs to the caller. Its RemoteAddr and TLS
// are always set. The rest is what has been understood: all of it if the head is
// complete and well-formed, or else the request line, if that is, and no fields.
// Release forgets it.
func (h *Opening) Request() *http.Request {
	if h.p == nil {
		return newRequest(h.Peer)
	}
	r, _ := h.p.request(h.Peer, h.p.targetString())
	return r
}

// Timeout returns how long the handshake may take, by Limits.Timeout; a negative time is no
// limit.
func (h *Opening) Timeout() time.Duration { return h.options().Limits.timeout() }

// Release gives the memory back. It may be called at any time, and more than once.
func (h *Opening) Release() {
	if h.p != nil {
		h.p.release()
	}
	h.p, h.result, h.refusal = nil, nil, nil
}

func (h *Opening) options() *Options {
	if h.Options == nil {
		return &noOptions
	}
	return h.Options
}

// decide applies the rules to the request and makes the response in p.out.
// malformed is what is wrong with the head, nil if nothing is. Wrong options come
// first, so that no request can hide them.
func (p *parser) decide(peer Peer, malformed *Error) (*Result, *Error) {
	o := p.q.options
	_, tls := peer.(tlsConn)
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
	res.Target = p.targetString()
	p.q.answerKey()
	p.out = p.q.appendResponse(p.out[:0])
	if o.CheckOrigin != nil || o.Before != nil || o.KeepHeader {
		if e := p.hooks(peer, res); e != nil {
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
func (p *parser) hooks(peer Peer, res *Result) *Error {
	r, e := p.request(peer, res.Target)
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
