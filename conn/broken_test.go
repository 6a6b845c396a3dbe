package conn_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A deaf stream fails all writes from the first failure on, and goes on waiting
// for bytes to read.
type deaf struct{ net.Conn }

func (deaf) Write([]byte) (int, error) { return 0, errDeaf }

var errDeaf = errors.New("deaf")

// A connection whose writes fail while its stream goes on waiting for bytes ends
// within CloseTimeout, whatever the stream's deadlines do.
func TestBrokenEnds(t *testing.T) {
	wrap := func(nc net.Conn) net.Conn { return deaf{nc} }
	o := limits(conn.Limits{PingInterval: -1})
	t.Run("Close", func(t *testing.T) {
		allOdds(t, o, 1<<10, wrap, func(b *bubble) {
			select {
			case err := <-startClose(b.c):
				if err == nil {
					b.Error("Close = nil")
				}
			case <-time.After(time.Hour):
				b.Fatal("Close hangs")
			}
			b.noLaterThan(7 * time.Second)
			<-b.c.Done()
			b.noLaterThan(7 * time.Second)
		})
	})
	t.Run("Read", func(t *testing.T) {
		allOdds(t, o, 1<<10, wrap, func(b *bubble) {
			got := reading(b.c)
			synctest.Wait()
			b.c.Write(context.Background(), conn.Text, []byte("lost"))
			select {
			case err := <-got:
				wantError(b.T, err, errDeaf)
			case <-time.After(time.Hour):
				b.Fatal("Read hangs")
			}
			b.noLaterThan(time.Second) // a read that can't be woken is cut
			<-b.c.Done()
			b.noLaterThan(7 * time.Second)
		})
	})
}

// A callback that has closed the connection delays the end while it runs, and no longer: what comes
// after a write has failed is of use to nobody then, however slowly it comes.
func TestBrokenEndsAfterCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 5 * time.Second
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: deaf{ours}}, conn.RoleServer, limits(conn.Limits{PingInterval: -1, CloseTimeout: timeout})))
		defer c.CloseNow()
		start := time.Now()
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Send(wstest.Text("first"))
		err := each(c, context.Background(), func(conn.Message) error {
			wantNoError(t, c.Close(frame.StatusNormalClosure, ""))
			<-time.After(timeout - time.Second)
			return nil
		})
		wantClosedHere(t, err)
		for {
			select {
			case <-c.Done():
				if d := time.Since(start); d != timeout {
					t.Errorf("the stream is closed after %v, want CloseTimeout", d)
				}
				return
			case <-time.After(300 * time.Millisecond):
				p.NetConn().Write([]byte{0x89, 0x80, 0, 0, 0, 0}) // a Ping
			}
		}
	})
}

// A parting stream fails its writes. What its peer says last comes right after that.
type parting struct {
	deaf
	last func()
}

// SetReadDeadline implements net.Conn. The first deadline is to wake the read that waits while a
// write has failed.
func (s parting) SetReadDeadline(at time.Time) error {
	s.last()
	return s.deaf.SetReadDeadline(at)
}

// When our Close frame can't be written, what has arrived is read up to the peer's: it answers
// Close, though messages come before it.
func TestBrokenCloseIsAnswered(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			p := wstest.NewPeer(t, theirs, !role)
			last := sync.OnceFunc(func() { p.Send(wstest.Text("late"), wstest.Text("later"), wstest.Close(4000, "")) })
			c := must(conn.New(&handshake.Result{Conn: parting{deaf{ours}, last}}, role, limits(conn.Limits{PingInterval: -1})))
			defer c.CloseNow()
			wantNoError(t, <-startClose(c))
			<-c.Done()
		})
	})
}

// What a peer does wrong in what had arrived when a write failed does not become the cause, wherever
// it is read to.
func TestBrokenRuleAfterWriteFailure(t *testing.T) {
	wrap := func(nc net.Conn) net.Conn { return deaf{nc} }
	for name, text := range map[string]string{
		"into the buffer":           "\xFF",
		"straight into the message": string(make([]byte, 100<<10)) + "\xFF",
	} {
		t.Run(name, func(t *testing.T) {
			allWays(t, func(t *testing.T, w way) {
				allOdds(t, nil, 1<<20, wrap, func(b *bubble) {
					b.p.Send(wstest.Text(text))
					wantError(b.T, b.c.Write(context.Background(), conn.Text, nil), errDeaf)
					_, _, err := w.read(b.c)
					wantError(b.T, err, errDeaf)
				})
			})
		})
	}
}

// A read that returned before a write failed gives the connection no more time.
func TestBrokenEndsAfterRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: deaf{ours}}, conn.RoleServer, limits(conn.Limits{PingInterval: -1})))
		defer c.CloseNow()
		wstest.NewPeer(t, theirs, conn.RoleClient).Send(wstest.Text("read"))
		must2(c.Read(t.Context()))
		start := time.Now()
		wantError(t, c.Write(context.Background(), conn.Text, nil), errDeaf)
		<-c.Done()
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("the stream is closed after %v, want CloseTimeout", d)
		}
	})
}

// What had arrived when a write failed is there for whoever reads within CloseTimeout after a callback
// has returned.
func TestBrokenWaitsAfterCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: deaf{ours}}, conn.RoleServer, limits(conn.Limits{PingInterval: -1})))
		defer c.CloseNow()
		wstest.NewPeer(t, theirs, conn.RoleClient).Send(wstest.Text("first"), wstest.Text("second"))
		err := c.Each(t.Context(), func(conn.Message) error {
			c.Write(context.Background(), conn.Text, nil) // held back: it fails in a goroutine of its own
			<-time.After(7 * time.Second)                 // CloseTimeout is 5 s
			return errEnough
		})
		wantError(t, err, errEnough)
		<-time.After(4 * time.Second)
		if _, p, err := c.Read(t.Context()); err != nil || string(p) != "second" {
			t.Errorf("got %q, %v", p, err)
		}
	})
}
