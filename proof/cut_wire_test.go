package proof

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// A direction is one of those of a wire.
type direction int

const (
	toServer direction = iota
	toClient
)

func (d direction) String() string { return [...]string{"to the server", "to the client"}[d] }

// A manner is one in which a wire ends.
type manner int

const (
	eof   manner = iota // the direction ends in order
	reset               // both directions fail, at both ends
	stall               // nothing comes any more, in either direction, and nobody is told
	manners
)

func (m manner) String() string { return [...]string{"EOF", "reset", "stall"}[m] }

// A wire is what lies between a client and a server. It counts the bytes that pass, over all
// connections, and cuts the connection on which one direction has come to so many. Later
// connections are not cut.
type wire struct {
	listener *pipe.Listener
	at       int // cut after so many bytes; negative: never
	way      direction
	how      manner

	mu     sync.Mutex
	passed [2]int
	cut    bool
}

// Accept implements net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	nc, err := w.listener.Accept()
	if err != nil {
		return nil, err
	}
	return &served{nc, w}, nil
}

// Close implements net.Listener.
func (w *wire) Close() error { return w.listener.Close() }

// Addr implements net.Listener.
func (w *wire) Addr() net.Addr { return w.listener.Addr() }

// A served is the server's end of a connection.
type served struct {
	net.Conn
	w *wire
}

func (s *served) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err == io.EOF && s.w.how == reset && s.w.isCut() {
		err = syscall.ECONNRESET
	}
	return n, err
}

// Unwrap implements pipe.Wrapper, so that a loop can serve the server's end.
func (s *served) Unwrap() net.Conn { return s.Conn }

// TryRead implements pipe.Wrapper.
func (s *served) TryRead(p []byte) (n int, again bool, err error) {
	n, again, err = pipe.TryRead(s.Conn, p)
	if n == 0 && !again && err == nil && s.w.how == reset && s.w.isCut() {
		err = syscall.ECONNRESET
	}
	return n, again, err
}

// TryWrite implements pipe.Wrapper.
func (s *served) TryWrite(p []byte) (int, error) { return pipe.TryWrite(s.Conn, p) }

// CloseWrite is what a *net.TCPConn has.
func (s *served) CloseWrite() error { return s.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// isCut reports whether a connection has been cut.
func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// dial connects a client, as http.Transport.DialContext.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := w.listener.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	dead, far := pipe.New()
	return &wired{Conn: nc, w: w, dead: dead, far: far}, nil
}

// pass takes note of n bytes on c in one direction, and returns how many of them may pass.
func (w *wire) pass(c *wired, d direction, n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	may := n
	if !w.cut && d == w.way && w.at >= 0 && w.passed[d]+n > w.at {
		may = w.at - w.passed[d]
		w.cut = true
		c.mu.Lock()
		c.cut = true
		c.mu.Unlock()
	}
	w.passed[d] += may
	return may
}

// total returns how many bytes have passed.
func (w *wire) total() [2]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passed
}

// A wired is the client's end of a connection, and does what its wire says.
type wired struct {
	net.Conn
	w *wire

	mu        sync.Mutex
	cut       bool
	dead, far net.Conn // where reads wait after a stall
}

// isCut reports whether the connection has been cut, in a manner that concerns d.
func (c *wired) isCut(d direction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut && (c.w.how != eof || d == c.w.way)
}

func (c *wired) Read(p []byte) (int, error) {
	if c.isCut(toClient) {
		return c.readCut(p)
	}
	n, err := c.Conn.Read(p)
	if c.isCut(toClient) { // meanwhile, by a write
		return c.readCut(p)
	}
	if may := c.w.pass(c, toClient, n); may < n {
		c.end()
		if n, err = may, nil; n == 0 {
			return c.readCut(p)
		}
	}
	return n, err
}

// readCut is Read of what has been cut.
func (c *wired) readCut(p []byte) (int, error) {
	switch c.w.how {
	case eof:
		return 0, io.EOF
	case reset:
		return 0, syscall.ECONNRESET
	}
	return c.dead.Read(p)
}

func (c *wired) Write(p []byte) (int, error) {
	if c.isCut(toServer) {
		return c.writeCut(p)
	}
	may := c.w.pass(c, toServer, len(p))
	n, err := c.Conn.Write(p[:may])
	if may < len(p) && err == nil {
		c.end()
		if c.w.how == reset {
			return n, syscall.EPIPE
		}
		n = len(p) // the system has taken it
	}
	return n, err
}

// writeCut is Write of what has been cut.
func (c *wired) writeCut(p []byte) (int, error) {
	if c.w.how == reset {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// end makes the other end notice.
func (c *wired) end() {
	switch {
	case c.w.how == reset:
		c.Conn.Close()
	case c.w.how == eof && c.w.way == toServer:
		c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	case c.w.how == stall: // a read that waits is to wait for what never comes
		c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// CloseWrite is what a *net.TCPConn has.
func (c *wired) CloseWrite() error {
	if c.isCut(toServer) {
		return nil
	}
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *wired) Close() error {
	c.dead.Close()
	c.far.Close()
	if c.isCut(toServer) && c.w.how == stall { // the server is not told
		c.w.abandon(c.Conn)
		return nil
	}
	return c.Conn.Close()
}

func (c *wired) SetReadDeadline(t time.Time) error {
	c.dead.SetReadDeadline(t)
	if c.isCut(toClient) {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *wired) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// abandon keeps an end of a connection that nobody uses until its peer ends it.
func (w *wire) abandon(nc net.Conn) {
	go func() {
		nc.SetReadDeadline(time.Time{})
		io.Copy(io.Discard, nc)
		nc.Close()
	}()
}
