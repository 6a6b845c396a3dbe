package conn

import (
	"net"
	"testing"
	"time"

	"github.com/parleyws/parley/handshake"
)

// A clocked stream remembers the last read deadline.
type clocked struct {
	net.Conn
	deadline time.Time
}

func (c *clocked) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

// The deadline that is the watch is never before it is due: a read that ended in
// between would be taken for one that failed.
func TestWatchDeadline(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	stream := &clocked{Conn: ours}
	c := New(&handshake.Result{Conn: stream}, RoleServer, nil)
	defer c.CloseNow()
	for range 1000 {
		at := clock() + time.Second
		c.in.mu.Lock()
		c.in.watchAt(at)
		c.in.mu.Unlock()
		if due := began.Add(at); stream.deadline.Before(due) {
			t.Fatalf("the deadline is %v before it is due", due.Sub(stream.deadline))
		}
	}
}
