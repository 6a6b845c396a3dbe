package conn_test

import (
	"context"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A Ping comes when no octet has for 25 s, and again 25 s after its Pong.
func TestKeepaliveAnswered(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		for i := range 1000 {
			pong := b.wantPing()
			b.at(time.Duration(i+1) * 25 * time.Second)
			b.p.Send(pong)
		}
		b.p.Close()
		wantError(b.T, <-failed, io.ErrUnexpectedEOF)
	})
}

// A peer from which no octet comes is cut 20 s after the Ping.
func TestKeepaliveSilent(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		b.wantPing()
		b.at(25 * time.Second)
		b.p.WantEOF()
		b.at(45 * time.Second)
		wantError(b.T, <-failed, os.ErrDeadlineExceeded)
		wantError(b.T, b.c.Write(context.Background(), conn.Text, nil), os.ErrDeadlineExceeded)
	})
}

// For how long a peer has been silent counts on when we close.
func TestKeepaliveSilentBeforeClose(t *testing.T) {
	for _, loop := range []*conn.Loop{nil, {}} {
		o := &conn.Options{Limits: conn.Limits{CloseTimeout: -1}, Loop: loop}
		for _, end := range []time.Duration{10 * time.Second, 40 * time.Second} { // before the Ping, and after
			inBubblesWith(t, o, 0, func(b *bubble) {
				failed := make(chan error, 1)
				conn.Receive(b.c, func(conn.Message) error { return nil }, func(err error) { failed <- err })
				b.sleep(end)
				closed := startClose(b.c)
				wantClosedHere(b.T, <-failed)
				<-closed
				<-b.c.Done()
				b.at(45 * time.Second)
			})
		}
	}
}

// The limits can be set, and turned off.
func TestKeepaliveLimits(t *testing.T) {
	inBubbles(t, conn.Limits{PingInterval: 3 * time.Second, PingTimeout: time.Second}, func(b *bubble) {
		failed := reading(b.c)
		b.wantPing()
		b.at(3 * time.Second)
		wantError(b.T, <-failed, os.ErrDeadlineExceeded)
		b.at(4 * time.Second)
	})
	inBubbles(t, conn.Limits{PingInterval: time.Second}, func(b *bubble) {
		failed := reading(b.c)
		for i := range 10 {
			pong := b.wantPing()
			b.at(time.Duration(i+1) * time.Second)
			if i < 9 {
				b.p.Send(pong)
			}
		}
		wantError(b.T, <-failed, os.ErrDeadlineExceeded)
		b.at(30 * time.Second)
	})
	// The last look comes at the end of the time, which is no multiple of the interval.
	inBubbles(t, conn.Limits{PingInterval: 10 * time.Second, PingTimeout: 25 * time.Second}, func(b *bubble) {
		failed := reading(b.c)
		b.wantPing()
		b.at(10 * time.Second)
		wantError(b.T, <-failed, os.ErrDeadlineExceeded)
		b.at(35 * time.Second)
	})
	inBubbles(t, conn.Limits{PingTimeout: -1}, func(b *bubble) {
		reading(b.c)
		pong := b.wantPing()
		b.p.WantSilence(24 * time.Hour)
		b.p.Send(pong)
		b.wantPing()
		b.at(25*time.Second + 24*time.Hour + 25*time.Second)
	})
	inBubbles(t, conn.Limits{PingInterval: -1}, func(b *bubble) {
		reading(b.c)
		b.p.WantSilence(24 * time.Hour)
	})
}

// Any octet is a sign of life: a message, or a part of a frame.
func TestKeepaliveAnyOctet(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		reading(b.c)
		b.sleep(24 * time.Second)
		b.p.Send(wstest.Text("message"))
		pong := b.wantPing()
		b.at(49 * time.Second)
		b.p.Send(pong)
		text := b.octets(wstest.Text("in four pieces"))
		b.p.SendBytes(text[:1])
		for i := range 3 { // an octet in time for the second, third and fourth
			b.wantPing()
			b.sleep(19 * time.Second)
			if i < 2 {
				b.p.SendBytes(text[i+1 : i+2])
			} else {
				b.p.SendBytes(text[i+1:])
			}
		}
		b.wantPing()
		b.at((49 + 3*(25+19) + 25) * time.Second)
	})
}

// A large message that comes slowly is alive all the time.
func TestKeepaliveSlowMessage(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		got := make(chan int, 1)
		go func() {
			_, p, _ := b.c.Read(context.Background())
			got <- len(p)
		}()
		message := b.octets(wstest.Binary(make([]byte, 1<<20)))
		for len(message) > 0 {
			b.sleep(24 * time.Second)
			n := min(len(message), 64<<10)
			b.p.SendBytes(message[:n])
			message = message[n:]
		}
		if n := <-got; n != 1<<20 {
			b.Errorf("got %d octets", n)
		}
	})
}

// A message has its time though the next Ping is due long after that.
func TestKeepaliveSlowMessageSeldomPings(t *testing.T) {
	inBubbles(t, conn.Limits{PingInterval: 24 * time.Hour, MessageTime: time.Minute}, func(b *bubble) {
		failed := reading(b.c)
		b.sleep(time.Second)
		b.p.Send(wstest.Text("begun").More())
		b.p.WantClose(frame.StatusPolicyViolation)
		if took := time.Since(b.start); took < time.Minute || took > 2*time.Minute {
			b.Errorf("cut after %v", took)
		}
		b.c.CloseNow()
		<-failed
	})
}

// While a handler is busy nobody is judged: neither is a Ping sent, nor one
// that was sent before held against the peer.
func TestKeepaliveBusyHandler(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		handled := make(chan string, 1)
		failed := make(chan error, 1)
		go func() {
			failed <- each(b.c, context.Background(), func(m conn.Message) error {
				<-time.After(time.Minute)
				handled <- string(m.Payload)
				return nil
			})
		}()
		b.p.Send(wstest.Text("a"))
		b.p.WantSilence(59 * time.Second)
		<-handled
		b.at(60 * time.Second)

		pong := b.wantPing() // once more 25 s after the read went on
		b.p.Send(wstest.Text("b"), pong)
		<-handled
		synctest.Wait()
		b.sleep(24 * time.Second)

		b.p.Send(wstest.Text("c"))
		<-handled
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// A Conn that nobody reads from is not judged at all.
func TestKeepaliveNotReading(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		b.p.WantSilence(24 * time.Hour)
		if err := b.c.Write(context.Background(), conn.Text, []byte("alive")); err != nil {
			b.Error(err)
		}
		b.p.Want(wstest.Text("alive"))
	})
}

// An endsLate is a ctx that ends when it has been asked a number of times.
type endsLate struct {
	context.Context
	left int
}

func (e *endsLate) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

// Nobody reads any more after a read whose ctx has ended just before it would have waited.
func TestKeepaliveReadGivenUp(t *testing.T) {
	for asked := range 2 {
		inBubbles(t, conn.Limits{}, func(b *bubble) {
			if _, _, err := b.c.Read(&endsLate{b.Context(), asked}); err == nil {
				b.Fatal("a read without a message")
			}
			b.p.WantSilence(24 * time.Hour)
			b.p.Send(wstest.Text("late"))
			if _, p, err := b.c.Read(b.Context()); err != nil || string(p) != "late" {
				b.Errorf("Read = %q, %v", p, err)
			}
		})
	}
}

// Reads that end with their ctx are one quiet time.
func TestKeepaliveShortReads(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := make(chan error, 1)
		go func() {
			for {
				// None ends at the moment at which a Ping or its Pong is due.
				ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
				_, _, err := b.c.Read(ctx)
				cancel()
				if ctx.Err() == nil || !isContextError(err) {
					failed <- err
					return
				}
			}
		}()
		b.wantPing()
		b.at(25 * time.Second)
		wantError(b.T, <-failed, os.ErrDeadlineExceeded)
		b.at(45 * time.Second)
	})
}

// The keepalive has one timer, which rings as often as there is something to see: however many
// messages were slow, and when nobody waited as it rang.
func TestKeepaliveRingsSeldom(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(c *conn.Conn, p *wstest.Peer, m []byte)
		after  func(c *conn.Conn, p *wstest.Peer, m []byte)
	}{
		"after slow messages": {
			before: func(_ *conn.Conn, p *wstest.Peer, m []byte) {
				for range 100 {
					p.SendBytes(m[:8])
					<-time.After(time.Second)
					p.SendBytes(m[8:])
					<-time.After(time.Second)
				}
			},
			after: func(*conn.Conn, *wstest.Peer, []byte) { <-time.After(10 * time.Minute) },
		},
		"after a busy handler": {
			before: func(_ *conn.Conn, p *wstest.Peer, m []byte) {
				p.Send(wstest.Text("busy"))
				<-time.After(time.Minute)
			},
			after: func(_ *conn.Conn, p *wstest.Peer, m []byte) {
				for range 1000 {
					p.SendBytes(m)
					synctest.Wait()
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := limits(conn.Limits{MessageTime: 10 * time.Second})
				c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{Server: o})
				p.Timeout = time.Hour
				ended := call(func() error {
					return c.Each(context.Background(), func(m conn.Message) error {
						if string(m.Payload) == "busy" {
							<-time.After(time.Minute)
						}
						return nil
					})
				})
				go func() { // answers Pings
					for {
						f, err := p.Next()
						if err != nil {
							return
						}
						if f.Header.Opcode == frame.Ping {
							p.Send(wstest.Pong(string(f.Payload)))
						}
					}
				}()
				f := wstest.Text("0123456789")
				f.Header.Masked = true
				m := f.Append(nil)
				tt.before(c, p, m)
				before := goroutinesCreated()
				tt.after(c, p, m)
				if n := goroutinesCreated() - before; n > 200 {
					t.Errorf("the keepalive has looked %d times", n)
				}
				c.CloseNow()
				wantClosedHere(t, <-ended)
			})
		})
	}
}

// A read whose ctx had ended before waits for nothing: the peer is not judged after it.
func TestKeepaliveAfterLateRead(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, _, err := b.c.Read(ctx); err == nil {
			b.Error("there was a message")
		}
		b.sleep(10 * time.Minute)
		b.p.Send(wstest.Text("hello"))
		if _, got, err := b.c.Read(context.Background()); err != nil || string(got) != "hello" {
			b.Errorf("got %q, %v", got, err)
		}
	})
}

// A loop that has come back to a connection in vain goes on looking after it: with the last byte of
// the message the connection's turn was over.
func TestKeepaliveAfterTurnInVain(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			o := &conn.Options{Loop: &conn.Loop{}}
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o, Size: 1 << 20})
			p.Timeout = 48 * time.Hour
			b := &bubble{t, role, c, p, time.Now()}
			ended := make(chan error, 1)
			conn.Receive(c, func(conn.Message) error { return nil }, func(err error) { ended <- err })
			synctest.Wait()
			p.Send(wstest.Binary(make([]byte, 96<<10)))
			b.wantPing()
			b.at(25 * time.Second)
			p.WantEOF()
			b.at(45 * time.Second)
			wantError(t, <-ended, os.ErrDeadlineExceeded)
		})
	})
}
