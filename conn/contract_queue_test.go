package conn_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// A queue at steady overload holds what it may hold and no more: the memory
// behind it does not grow with the messages that pass.

// overloads are ways to send eleven messages a millisecond to a peer that takes
// ten. The queue holds more than goes out at once, and so is never empty.
var overloads = []struct {
	name        string
	size, queue int // bytes of a message, messages of the queue
	other       func(c *conn.Conn) error
}{
	{"Send", 1000, 200, func(*conn.Conn) error { return nil }},
	{"Send between Pings", 1000, 200, func(c *conn.Conn) error {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(0, cancel)
		if err := c.Ping(ctx); !isContextError(err) {
			return err
		}
		return nil
	}},
	{"Send between Writes", 4 << 10, 10, func(c *conn.Conn) error {
		return c.Write(context.Background(), conn.Text, []byte("text"))
	}},
}

// Send with OverflowDropOldest to a reader that is always a little too slow.
func TestSteadyOverload(t *testing.T) {
	const most = 1 << 20
	rounds := scale(100_000) / 10
	for _, o := range overloads {
		t.Run(o.name, func(t *testing.T) {
			overCases(t, cases(overloaded(), nil), func(t *testing.T, s streamCase) {
				l := s.link(t, &conn.Options{Overflow: conn.OverflowDropOldest, Limits: conn.Limits{QueueMessages: o.queue}}, 4<<10)
				l.tap.forget = true
				p := conn.NewPrepared(conn.Binary, noise(o.size))
				done := make(chan struct{})
				read := call(func() error {
					took := make([]byte, 10*o.size)
					for {
						select {
						case <-done:
							return nil
						case <-time.After(time.Millisecond):
						}
						if _, err := io.ReadFull(l.p.NetConn(), took); err != nil {
							return err
						}
					}
				})
				overload := func(rounds int) {
					for range rounds {
						for range 11 {
							wantNoError(t, l.c.Send(p))
						}
						wantNoError(t, o.other(l.c))
						l.sleep(time.Millisecond)
					}
				}
				overload(rounds / 10)
				before := heap()
				overload(rounds)
				if grown := heap() - before; grown > most {
					l.Errorf("%d messages left %d bytes", 11*rounds, grown)
				}
				close(done)
				l.c.CloseNow()
				<-read // it may be in the middle of what it takes
			})
		})
	}
}

// overloaded are the kinds of streams whose queues are held at overload: one that
// can be tried, and one that can't.
func overloaded() []streamKind {
	return kindsThat(func(k streamKind) bool { return k.name == "pipe" || k.name == "pipe that can be tried" })
}

// Messages that wait behind a Writer are bounded in the same way.
func TestSteadyOverloadBehindWriter(t *testing.T) {
	const most = 1 << 20
	count := scale(100_000)
	overCases(t, cases(overloaded(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, &conn.Options{Overflow: conn.OverflowDropOldest, Limits: conn.Limits{QueueMessages: 100}}, 1<<20)
		w, err := l.c.Writer(context.Background(), conn.Binary)
		if err != nil {
			l.Fatal(err)
		}
		wantNoError(t, write(w, noise(100_000))) // its first fragment is out
		p := conn.NewPrepared(conn.Binary, noise(200))
		for range count / 10 {
			wantNoError(t, l.c.Send(p))
		}
		before := heap()
		for range count {
			wantNoError(t, l.c.Send(p))
		}
		if grown := heap() - before; grown > most {
			l.Errorf("%d messages left %d bytes", count, grown)
		}
		wantNoError(t, w.Close())
	})
}

// A queue that is full is our own affair: the peer has broken no rule, and no
// error says so.
func TestQueueFullIsNoBrokenRule(t *testing.T) {
	if _, ok := errors.AsType[*frame.Error](conn.ErrQueueFull); ok {
		t.Error("ErrQueueFull is a *frame.Error")
	}
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, limits(conn.Limits{QueueMessages: 10}), 4<<10)
		failed := reading(l.c)
		p := conn.NewPrepared(conn.Binary, noise(10_000)).Uncompressed()
		var err error
		for range 1000 {
			if err = l.c.Send(p); err != nil {
				break
			}
		}
		for what, err := range map[string]error{"Send": err, "Each": await(l, "Each", failed), "Send again": l.c.Send(p)} {
			wantError(t, err, conn.ErrQueueFull)
			if e, ok := errors.AsType[*frame.Error](err); ok {
				l.Errorf("%s: got a *frame.Error: %v", what, e)
			}
		}
		l.atWithGrace(0)
		l.wantAllSay(queueFull)
	})
}

// With OverflowDropOldest a message that is too long for the queue by a byte is
// refused, and the connection lives. One that just fits is sent.
func TestQueueTooShort(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, &conn.Options{Overflow: conn.OverflowDropOldest, Limits: conn.Limits{QueueBytes: 1000}}, 0)
		wantError(t, l.c.Send(conn.NewPrepared(conn.Binary, noise(997))), conn.ErrQueueFull)
		just := noise(996) // with its header as much as the queue holds
		if err := l.c.Send(conn.NewPrepared(conn.Binary, just).Uncompressed()); err != nil {
			l.Fatal(err)
		}
		l.p.WantMessage(frame.Binary, just)
		l.settle()
		wantNoError(t, l.c.Send(conn.NewPrepared(conn.Binary, []byte("short"))))
		l.p.WantMessage(frame.Binary, []byte("short"))
	})
}

// A queue takes as many bytes as it may hold, to the last one, and no more: a frame counts with its
// header, and with its masking key once it is queued.
func TestQueueIsFullToTheByte(t *testing.T) {
	const size, count = 100, 10
	for _, off := range []int{-1, 0, 1} {
		overCases(t, cases(overloaded(), nil), func(t *testing.T, s streamCase) {
			queued, want := size, count
			if s.role == conn.RoleClient {
				queued += 4
			}
			if off < 0 {
				want--
			}
			l := s.link(t, limits(conn.Limits{QueueBytes: (count-1)*queued + size + off}), 1<<20)
			w := must(l.c.Writer(context.Background(), conn.Binary))
			wantNoError(t, write(w, noise(100_000))) // what is sent waits for its end
			p, sent := conn.NewPrepared(conn.Binary, noise(size-2)), 0
			for l.c.Send(p) == nil && sent <= 2*count {
				sent++
			}
			if sent != want {
				l.Errorf("%d messages are queued, want %d", sent, want)
			}
			l.wantAllSay(queueFull)
		})
	}
}
