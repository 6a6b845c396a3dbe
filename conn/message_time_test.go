package conn_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// MessageTime holds for each message by itself, however messages and reads
// overlap.
func TestMessageTimeOfEach(t *testing.T) {
	all := way{"one Each for all", func(c *conn.Conn) (conn.MessageType, []byte, error) {
		return conn.Text, nil, each(c, context.Background(), func(conn.Message) error { return nil })
	}}
	for _, w := range append([]way{all}, ways...) {
		t.Run(w.name, func(t *testing.T) {
			inBubbles(t, conn.Limits{MessageTime: 30 * time.Second}, func(b *bubble) {
				got := call(func() (err error) {
					for err == nil {
						_, _, err = w.read(b.c)
					}
					return err
				})
				m := b.octets(wstest.Text("0123456789"))
				b.p.SendBytes(m[:8])
				for range 20 {
					b.sleep(10 * time.Second)
					b.p.SendBytes(append(append([]byte{}, m[8:]...), m[:8]...))
				}
				synctest.Wait()
				select {
				case err := <-got:
					b.Fatalf("in the middle of messages of 10 s each: %v", err)
				default:
				}
				b.sleep(31 * time.Second)
				wantCode(b.T, <-got, frame.StatusPolicyViolation)
			})
		})
	}
}

// A message that comes slowly is failed also if another one was slow before it, whose timer has rung
// since and found nothing to do.
func TestMessageTimeAgain(t *testing.T) {
	const limit = 30 * time.Second
	inBubbles(t, conn.Limits{MessageTime: limit, PingInterval: -1}, func(b *bubble) {
		got := reading(b.c)
		m := b.octets(wstest.Text("0123456789"))
		for _, part := range [][]byte{m[:8], m[8:], m[:8]} {
			b.sleep(limit * 2 / 3)
			b.p.SendBytes(part)
		}
		select {
		case err := <-got:
			wantCode(b.T, err, frame.StatusPolicyViolation)
			b.at(3 * limit)
		case <-time.After(time.Hour):
			b.Error("the second message may take an hour")
		}
		b.c.CloseNow()
	})
}

// The time of a message may be over at the moment at which the ctx of a read ends: then the
// keepalive fails it, or the next read does, though the rest of it has come meanwhile.
func TestMessageTimeMeetsContext(t *testing.T) {
	const limit = 30 * time.Second
	for n := range 20 { // which of two timers rings first is up to chance
		inBubbles(t, conn.Limits{MessageTime: limit}, func(b *bubble) {
			m := b.octets(wstest.Text("0123456789"))
			b.p.SendBytes(m[:8])
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			_, _, err := b.c.Read(ctx)
			if isContextError(err) {
				if n%2 == 0 {
					b.p.SendBytes(m[8:])
				}
				again, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				_, _, err = b.c.Read(again)
			}
			b.at(limit)
			wantCode(b.T, err, frame.StatusPolicyViolation)
		})
	}
}

// MessageTime does not hold for what a NetConn reads: there a message is a stretch of bytes of
// any length.
func TestMessageTimeOfNetConn(t *testing.T) {
	inBubbles(t, conn.Limits{MessageTime: 30 * time.Second, PingInterval: -1}, func(b *bubble) {
		nc := conn.NetConn(b.c, conn.Text)
		m := b.octets(wstest.Text("0123456789"))
		go func() {
			for i := range m {
				b.sleep(time.Minute)
				b.p.SendBytes(m[i : i+1])
			}
		}()
		got := make([]byte, 10)
		if _, err := io.ReadFull(nc, got); err != nil || string(got) != "0123456789" {
			b.Errorf("got %q, %v", got, err)
		}
	})
}

// MessageTime does not hold for what is discarded: once we have closed, CloseTimeout alone bounds
// the wait for the peer's Close frame, in the middle of a message too.
func TestMessageTimeAfterClose(t *testing.T) {
	inBubbles(t, conn.Limits{MessageTime: time.Second}, func(b *bubble) {
		m := b.octets(wstest.Text("0123456789"))
		b.p.SendBytes(m[:8])
		failed := reading(b.c)
		synctest.Wait() // its time runs
		closed := call(func() error { return b.c.Close(4000, "") })
		b.p.WantClose(4000)
		b.sleep(3 * time.Second)
		b.p.SendBytes(m[8:])
		b.p.Send(wstest.Close(4000, ""))
		wantNoError(b.T, <-closed)
		b.at(3 * time.Second)
		wantClosedHere(b.T, <-failed)
	})
}

// The time of a message is over when it is, also where the next Ping is due later, and a loop waits
// for what is still to come.
func TestMessageTimeOnShells(t *testing.T) {
	const limit = 10 * time.Second
	onShells(t, func(t *testing.T, o *conn.Options) {
		o.Limits = conn.Limits{MessageTime: limit}
		c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{Server: o})
		p.Timeout = time.Hour
		start := time.Now()
		ended := make(chan error, 1)
		conn.Receive(c, ignoreMessage, func(err error) { ended <- err })
		p.Send(wstest.Text("begun").More())
		p.WantClose(frame.StatusPolicyViolation)
		if d := time.Since(start); d != limit {
			t.Errorf("the message failed after %v, want %v", d, limit)
		}
		wantCode(t, <-ended, frame.StatusPolicyViolation)
	})
}
