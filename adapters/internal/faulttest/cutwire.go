package faulttest

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
	toRedis direction = iota
	fromRedis
)

func (d direction) String() string { return [...]string{"to Redis", "from Redis"}[d] }

// A manner is one in which a connection ends.
type manner int

const (
	eof   manner = iota // Redis ends it
	reset               // it fails
	stall               // nothing passes any more, and nobody is told
	gone                // Redis ends it, and can't be reached from then on
	manners
)

func (m manner) String() string { return [...]string{"EOF", "reset", "stall", "EOF for good"}[m] }

// A wire is what lies between an adapter and Redis. It counts the bytes that pass while it is
// watched, over all connections, and cuts the connection on which one direction comes to so
// many.
type wire struct {
	redis *fakeRedis
	at    int // cut before the byte of this index; negative: never
	way   direction
	how   manner

	mu      sync.Mutex
	watched bool
	cut     bool
	passed  [2]int
	open    int // connections
}

// dial is for the options of a client.
func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut && w.how == gone {
		return nil, syscall.ECONNREFUSED
	}
	w.open++
	dead, far := pipe.New()
	return &wired{Conn: w.redis.dial(), w: w, dead: dead, far: far}, nil
}

// watch begins or ends the counting.
func (w *wire) watch(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched = on
}

// isCut reports whether a connection has been cut.
func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// total returns how many bytes have passed.
func (w *wire) total() [2]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passed
}

// pass takes note of n bytes on c, and returns how many of them may pass.
func (w *wire) pass(c *wired, d direction, n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.watched {
		return n
	}
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

// A wired is the adapter's end of a connection.
type wired struct {
	net.Conn
	w *wire

	mu          sync.Mutex
	cut, closed bool
	dead, far   net.Conn // where reads wait after a stall
}

func (c *wired) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

func (c *wired) Read(p []byte) (int, error) {
	if c.isCut() {
		return c.readCut(p)
	}
	n, err := c.Conn.Read(p)
	if c.isCut() { // meanwhile, by a write
		return c.readCut(p)
	}
	if may := c.w.pass(c, fromRedis, n); may < n {
		c.end()
		if n, err = may, nil; n == 0 {
			return c.readCut(p)
		}
	}
	return n, err
}

func (c *wired) readCut(p []byte) (int, error) {
	switch c.w.how {
	case stall:
		return c.dead.Read(p)
	case reset:
		return 0, syscall.ECONNRESET
	}
	return 0, io.EOF
}

func (c *wired) Write(p []byte) (int, error) {
	if c.isCut() {
		return c.writeCut(0, p)
	}
	may := c.w.pass(c, toRedis, len(p))
	n, err := c.Conn.Write(p[:may])
	if may < len(p) && err == nil {
		c.end()
		return c.writeCut(n, p)
	}
	return n, err
}

// writeCut is Write of what has been cut, after n bytes have passed.
func (c *wired) writeCut(n int, p []byte) (int, error) {
	if c.w.how == stall || c.w.how != reset && n > 0 {
		return len(p), nil // the system has taken it
	}
	return n, syscall.EPIPE
}

// end makes Redis notice, or a read that waits find out.
func (c *wired) end() {
	if c.w.how == stall {
		c.Conn.SetReadDeadline(time.Unix(1, 0))
		return
	}
	c.Conn.Close()
}

func (c *wired) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if !again {
		c.w.mu.Lock()
		c.w.open--
		c.w.mu.Unlock()
	}
	c.dead.Close()
	c.far.Close()
	return c.Conn.Close()
}

func (c *wired) SetReadDeadline(t time.Time) error {
	c.dead.SetReadDeadline(t)
	if c.isCut() {
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

// SetWriteDeadline is that of a connection that may have been cut.
func (c *wired) SetWriteDeadline(t time.Time) error {
	if c.isCut() {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}
