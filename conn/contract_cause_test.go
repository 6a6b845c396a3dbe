package conn_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// The first cause is kept: whatever ends a connection, all calls return the same
// from then on, whatever happens next.

// An end is a way in which a connection ends.
type end struct {
	name  string
	kinds []streamKind
	// end brings the end about, and returns the cause; "" is any one, as long as
	// it is nobody's ctx.
	end func(l *link) string
}

var ends = []end{
	{"Close", streamKinds, func(l *link) string {
		startClose(l.c)
		l.p.WantClose(frame.StatusNormalClosure)
		return closedHere
	}},
	{"CloseNow", streamKinds, func(l *link) string {
		wantNoError(l.T, l.c.CloseNow())
		return closedHere
	}},
	{"peer closes", streamKinds, func(l *link) string {
		l.p.Send(wstest.Close(4000, ""))
		l.read()
		return peerClosed(4000)
	}},
	{"peer breaks a rule", streamKinds, func(l *link) string {
		l.p.Send(wstest.Text("").Rsv(2))
		l.read()
		return brokenRule(frame.StatusProtocolError)
	}},
	{"peer breaks a limit", streamKinds, func(l *link) string {
		l.p.SendAsIs(begin(l.role, 1<<40))
		l.read()
		return brokenRule(frame.StatusMessageTooBig)
	}},
	{"no message expected", streamKinds, func(l *link) string {
		ctx := l.c.CloseRead(context.Background())
		l.p.Send(wstest.Text("unexpected"))
		<-ctx.Done()
		return cause(context.Cause(ctx))
	}},
	{"cut", streamKinds, func(l *link) string {
		l.p.Close()
		l.read()
		return wasCut
	}},
	{"half-closed", streamKinds, func(l *link) string {
		l.p.CloseWrite()
		l.read()
		return wasCut
	}},
	{"reset", kindsThat(func(k streamKind) bool { return !k.memory }), func(l *link) string {
		l.p.Send(l.text("one"))
		wantNoError(l.T, l.c.Write(context.Background(), conn.Text, []byte("unread")))
		l.hardClose()
		l.read()
		return wasCut
	}},
	{"stalled", streamKinds, func(l *link) string {
		l.wantCause("Write", l.c.Write(context.Background(), conn.Binary, noise(1<<20)), writeStalled)
		l.read()
		return writeStalled
	}},
	{"dead peer", streamKinds, func(l *link) string {
		l.c.Read(context.Background())
		return deadPeer
	}},
	{"queue full", inMemory(), func(l *link) string {
		for l.c.Send(conn.NewPrepared(conn.Binary, noise(30_000)).Uncompressed()) == nil {
		}
		return queueFull
	}},
	{"message takes too long", streamKinds, func(l *link) string {
		l.p.Send(wstest.Text("begun").More())
		l.read()
		return brokenRule(frame.StatusPolicyViolation)
	}},
}

// limits are those that bring the end about, and of times no other: another end may take its
// time on a busy machine.
func (e *end) limits() *conn.Options {
	l := conn.Limits{PingInterval: -1, CloseTimeout: 400 * time.Millisecond, QueueMessages: 4}
	switch e.name {
	case "dead peer":
		l.PingInterval, l.PingTimeout = 400*time.Millisecond, 400*time.Millisecond
	case "stalled":
		l.WriteTimeout = 2 * time.Second
	case "message takes too long":
		l.MessageTime = 100 * time.Millisecond
	}
	return limits(l)
}

// read reads until the connection ends.
func (l *link) read() {
	each(l.c, context.Background(), func(conn.Message) error { return nil })
}

func TestFirstCauseIsKept(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			overKinds(t, e.kinds, func(t *testing.T, s streamCase) {
				l := s.link(t, e.limits(), 8<<10)
				want := e.end(l)
				if want == "" {
					l.Fatal("it ended with nobody's error")
				}
				l.wantAllSay(want)
				l.sleep(s.grace())
				for _, next := range []func(){
					func() { startClose(l.c) },
					func() { l.p.Close() },
					func() { l.c.CloseNow() },
				} {
					next()
					l.settle()
					l.wantAllSay(want)
				}
				if s.memory {
					l.sleep(time.Minute)
					l.wantAllSay(want)
				}
			})
		})
	}
}

// An abandoned Writer is one more end: its cause is one of its own.
func TestFirstCauseIsKeptOfAbandonedWriter(t *testing.T) {
	overCases(t, cases(streamKinds, nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		l.abandon(100 * time.Millisecond)
		err := l.c.Write(context.Background(), conn.Text, nil)
		if err == nil || isContextError(err) {
			l.Errorf("Write = %v, want a cause of its own", err)
		}
		for _, next := range []func(){
			func() { startClose(l.c) },
			func() { l.p.Close() },
			func() { l.c.CloseNow() },
		} {
			next()
			l.settle()
			l.wantAllSay(cause(err))
		}
	})
}

// Calls that meet the end while they wait are told the same as those that come
// later.
func TestCauseOfWaitingCalls(t *testing.T) {
	for _, e := range ends {
		if e.name == "no message expected" { // others may read the message instead
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			overKinds(t, e.kinds, func(t *testing.T, s streamCase) {
				l := s.link(t, e.limits(), 8<<10)
				waiting := map[string]<-chan error{"Ping": call(func() error { return l.c.Ping(context.Background()) })}
				l.settle()
				if _, err := l.p.Next(); err != nil {
					l.Fatal(err)
				}
				for _, c := range calls[:2] {
					waiting[c.name] = call(func() error { return c.call(context.Background(), l.c) })
				}
				l.settle()
				want := e.end(l)
				for name, failed := range waiting {
					err := await(l, name, failed)
					if name == "Read" && err == nil { // of a message that came before the end
						continue
					}
					if strings.HasPrefix(e.name, "stalled") {
						wantError(t, err, os.ErrDeadlineExceeded)
						continue
					}
					l.wantCause(name, err, want)
				}
			})
		})
	}
}

// The end of a connection goes before that of a ctx.
func TestEndGoesBeforeContext(t *testing.T) {
	overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		l.c.CloseNow()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, call := range calls {
			l.wantCause(call.name, call.call(ctx, l.c), closedHere)
		}
	})
}
