package conn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A bubble is a test in virtual time: a Conn in one role and the Peer that it
// talks to in memory.
type bubble struct {
	*testing.T
	role  conn.Role // that c plays
	c     *conn.Conn
	p     *wstest.Peer
	start time.Time
}

// inBubbles runs f in both roles, with a Conn of the given limits.
func inBubbles(t *testing.T, l conn.Limits, f func(b *bubble)) {
	t.Helper()
	inBubblesWith(t, &conn.Options{Limits: l}, 0, f)
}

// inBubblesWith is inBubbles with options and the size of the stream's buffers.
func inBubblesWith(t *testing.T, o *conn.Options, size int, f func(b *bubble)) {
	t.Helper()
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o, Size: size})
			p.Timeout = 48 * time.Hour
			f(&bubble{t, role, c, p, time.Now()})
		})
	})
}

// at fails the test unless exactly d has gone since the start.
func (b *bubble) at(d time.Duration) {
	b.Helper()
	if got := time.Since(b.start); got != d {
		b.Errorf("at %v, want %v", got, d)
	}
}

// sleep lets d go by.
func (b *bubble) sleep(d time.Duration) { <-time.After(d) }

// octets returns f as b.p would send it, to be sent in pieces.
func (b *bubble) octets(f wstest.Frame) []byte {
	f.Header.Masked = b.role == conn.RoleServer
	return f.Append(nil)
}

// wantPing waits for a Ping and returns the Pong that answers it.
func (b *bubble) wantPing() wstest.Frame {
	b.Helper()
	f, err := b.p.Next()
	if err != nil || f.Header.Opcode != frame.Ping {
		b.Fatalf("got %v, %v; want a Ping", f, err)
	}
	return wstest.Pong(string(f.Payload))
}
