package conn

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn/internal/stream"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A Conn is a WebSocket connection. It is made by Accept, Dial or New.
//
// All methods may be called from any goroutine at any time. A Conn must be
// ended, by its peer or by Close or CloseNow; it then holds nothing.
type Conn struct {
	limits *Limits  // with defaults; shared by connections that have no other
	out    outbound // in front: a broadcast touches one cache line of each recipient

	in   inbound
	src  stream.Stream
	end  ending
	ping atomic.Pointer[pinger] // nil before the first call of Ping

	subprotocol string
}

// drainTime is for how much silence a server goes on reading behind its Close
// frame and its half-close, CloseTimeout being the bound. If it closed with
// octets unread, the reset that TCP sends then could overtake the Close frame.
const drainTime = time.Second

// New makes a Conn of a stream on which the handshake is done. It takes over
// hs.Conn and hs.Buffered. A stream with a method TryWrite([]byte) (int, error),
// which takes what it can without blocking, is written to as a socket is. nil options are the defaults. The parameters of
// permessage-deflate are those of hs.
func New(hs *handshake.Result, role Role, o *Options) *Conn {
	if o == nil {
		o = &Options{}
	}
	c := &Conn{
		src:         stream.New(hs.Conn, hs.Buffered),
		limits:      o.Limits.withDefaults(),
		subprotocol: hs.Subprotocol,
	}
	c.end.serving = role == RoleServer
	c.in.init(c, role, hs.Deflate, o)
	c.out.init(c, role, hs.Deflate, o)
	c.in.startWatch()
	return c
}

// Subprotocol returns the subprotocol that the handshake agreed on, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// LocalAddr returns our address on the stream.
func (c *Conn) LocalAddr() net.Addr { return c.src.NetConn().LocalAddr() }

// RemoteAddr returns the peer's address on the stream. Behind a proxy that is
// the proxy's.
func (c *Conn) RemoteAddr() net.Addr { return c.src.NetConn().RemoteAddr() }

// An ending is the end of a connection: its cause, which is that of whatever
// came first, and the moment at which the stream was closed.
type ending struct {
	mu      sync.Mutex
	state   atomic.Uint32 // a closing, changed with mu held, and asked for by every call
	heard   bool          // the peer's Close frame has come
	serving bool          // constant; server: half-closes, then waits drainTime; client: waits for the server's end
	cause   error         // what reads and writes return from now on; nil: none yet
	timer   *time.Timer
	ch      chan struct{}        // closed with the stream; nil: nobody has asked
	funcs   map[*func()]struct{} // to be called then
}

// happens moves the closing handshake on. cause becomes the connection's if
// it is the first.
func (e *ending) happens(ev closeEvent, cause error) closeAction {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cause == nil {
		e.cause = cause
	}
	if ev == peerClose {
		e.heard = true
	}
	state, do := closing(e.state.Load()).on(ev)
	e.state.Store(uint32(state))
	if do == dropStream {
		if e.ch != nil {
			close(e.ch)
		}
		if e.timer != nil {
			e.timer.Stop()
		}
		for f := range e.funcs {
			go (*f)()
		}
		e.funcs = nil
	}
	return do
}

// done returns a channel that is closed with the stream.
func (e *ending) done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ch == nil {
		e.ch = make(chan struct{})
		if e.is(over) {
			close(e.ch)
		}
	}
	return e.ch
}

// after arranges for f to be called in a goroutine of its own when the
// connection is over.
func (e *ending) after(f func()) (stop func() bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.is(over) {
		go f()
		return func() bool { return false }
	}
	if e.funcs == nil {
		e.funcs = make(map[*func()]struct{})
	}
	e.funcs[&f] = struct{}{}
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		_, waiting := e.funcs[&f]
		delete(e.funcs, &f)
		return waiting
	}
}

// err returns the cause of the end, nil while there is none.
func (e *ending) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cause
}

// verdict returns what Close does at the end.
func (e *ending) verdict() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.heard {
		return errUnanswered
	}
	return nil
}

// is reports whether the closing handshake has come to s.
func (e *ending) is(s closing) bool { return closing(e.state.Load()) == s }

// limit cuts the connection unless it is over after d.
func (e *ending) limit(d time.Duration, cut func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer == nil && !e.is(over) && d < noTime {
		e.timer = time.AfterFunc(d, cut)
	}
}

// drop closes the stream and lets go of everything, if the connection is not
// over already.
func (c *Conn) drop(ev closeEvent, cause error) {
	if c.end.happens(ev, cause) != dropStream {
		return
	}
	c.src.Close()
	c.in.over()
	c.out.over()
}

// cut is drop for timers.
func (c *Conn) cut() { c.drop(closeExpiry, errClosed) }

// CloseNow closes the stream without a closing handshake and drops what has
// not been sent. Reads and writes that wait return. It returns nil, or
// net.ErrClosed if the connection was over already.
func (c *Conn) CloseNow() error {
	if c.end.is(over) {
		return errClosed
	}
	c.drop(closeExpiry, errClosed)
	return nil
}

// Close closes the connection: what is held is written, then a Close frame
// with code and reason; the peer's Close frame is awaited, for CloseTimeout at
// most, and the stream is closed as RFC 6455, section 7.1.1, says. Messages
// that still come are discarded, and other reads return net.ErrClosed.
//
// Close returns when that is done, and nil if the peer's Close frame came.
// There is one exception: called while another call is delivering a message,
// as from the callback of Each, it returns at once, and the closing handshake
// is completed when that call goes on reading.
//
// frame.StatusNoStatus sends a Close frame without a code. A code that may not
// be sent is an error, and nothing happens. A reason is cut to frame.MaxReason
// octets. After the first call Close returns net.ErrClosed.
func (c *Conn) Close(code frame.StatusCode, reason string) error {
	if !code.Valid() && code != frame.StatusNoStatus {
		return errCode
	}
	if c.end.happens(localClose, errClosed) != sendClose {
		return errClosed
	}
	c.out.sendClose(code, reason, false)
	if !c.in.finish() {
		return nil
	}
	<-c.end.done()
	return c.end.verdict()
}
