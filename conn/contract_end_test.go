package conn_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// An ender is something that a peer does to end a connection, while it keeps
// the stream open and goes on reading.
type ender struct {
	name string
	send func(l *link)
	want string // the cause
	code frame.StatusCode
}

var enders = []ender{
	{"Close frame", func(l *link) { l.p.Send(wstest.Close(4321, "so be it")) }, peerClosed(4321), 4321},
	{"empty Close frame", func(l *link) { l.p.Send(wstest.Close(frame.StatusNoStatus, "")) }, peerClosed(frame.StatusNoStatus), frame.StatusNoStatus},
	{"reserved opcode", func(l *link) {
		f := wstest.Ping("")
		f.Header.Opcode = 0xB
		l.p.Send(f)
	}, brokenRule(1002), frame.StatusProtocolError},
	{"bad text", func(l *link) { l.p.Send(wstest.Text("\xFF")) }, brokenRule(1007), frame.StatusInvalidPayload},
	{"message over the limit", func(l *link) { l.p.SendAsIs(begin(l.role, 1<<30)) }, brokenRule(1009), frame.StatusMessageTooBig},
}

// Whatever ends a connection, the application that waits in a read is told at
// once. The stream ends in the background: a server half-closes, waits for a
// second of silence, and closes, a client gives the server CloseTimeout.
func TestEndIsToldAtOnce(t *testing.T) {
	for _, e := range enders {
		t.Run(e.name, func(t *testing.T) {
			for _, way := range calls[:3] {
				t.Run(way.name, func(t *testing.T) {
					overStreams(t, func(t *testing.T, s streamCase) {
						l := s.link(t, nil, 0)
						failed := call(func() error { return way.call(context.Background(), l.c) })
						l.settle()
						e.send(l)
						l.wantCause(way.name, await(l, way.name, failed), e.want)
						l.at(0)
						l.wantAllSay(e.want)
						l.at(0)
						l.p.WantClose(e.code)
						l.at(0)
						l.wantStreamEnds()
					})
				})
			}
		})
	}
}

// wantStreamEnds fails the test unless the stream is ended in the background,
// as the role demands, by a Conn whose peer does nothing since the start.
func (l *link) wantStreamEnds() {
	l.Helper()
	end := time.Second
	if l.role == conn.RoleClient {
		end = 5 * time.Second
	}
	switch {
	case l.role == conn.RoleServer && l.halves:
		l.p.WantEOF()
		l.at(0)
	case l.memory:
		l.p.WantEOF()
		l.atWithGrace(end)
	}
	l.wantStreamClosed(end)
}

// The same for a Read whose ctx is short: it has its answer before that ends.
func TestEndIsToldToShortReads(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		short := 100 * time.Millisecond
		if !s.memory {
			short = slack / 2
		}
		ctx, cancel := context.WithTimeout(context.Background(), short)
		defer cancel()
		l.p.Send(wstest.Close(1000, ""))
		_, _, err := l.c.Read(ctx)
		l.wantCause("Read", err, peerClosed(frame.StatusNormalClosure))
		l.at(0)
	})
}

// The end is told to all that wait, and not only to the one that reads: to
// reads that wait for their turn, to a Reader in the middle of a message, to a
// Ping, a CloseRead and the ctx of a Server.
func TestEndIsToldToAll(t *testing.T) {
	want := peerClosed(frame.StatusNormalClosure)
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		ctx := context.Background()
		var waiting []<-chan error
		for range 3 {
			for _, way := range calls[:3] {
				waiting = append(waiting, call(func() error { return way.call(ctx, l.c) }))
			}
		}
		watched := l.c.CloseRead(ctx)
		waiting = append(waiting, call(func() error { return l.c.Ping(ctx) }), call(func() error {
			<-watched.Done()
			return context.Cause(watched)
		}))
		ping, err := l.p.Next()
		if err != nil || ping.Header.Opcode != frame.Ping {
			l.Fatalf("got %v, %v; want a Ping", ping, err)
		}
		l.p.Send(wstest.Close(1000, ""))
		for _, failed := range waiting {
			l.wantCause("a call", await(l, "a call", failed), want)
		}
		l.at(0)
	})
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		l.p.Send(wstest.Text("the beginning").More())
		_, r, err := l.c.Reader(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		failed := call(func() error {
			for {
				if _, err := r.Read(make([]byte, 100)); err != nil {
					return err
				}
			}
		})
		l.settle()
		l.p.Send(wstest.Close(1000, ""))
		l.wantCause("Reader", await(l, "a Reader", failed), want)
		l.at(0)
	})
}

// A Write that waits for room is told at once, too.
func TestEndIsToldToWrites(t *testing.T) {
	for _, e := range append(enders, ender{"end of the stream", func(l *link) { l.p.CloseWrite() }, wasCut, 0}) {
		t.Run(e.name, func(t *testing.T) {
			overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 1<<10)
				failed := reading(l.c)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				wrote := call(func() error {
					for {
						if err := l.c.Write(ctx, conn.Binary, noise(10_000)); err != nil {
							return err
						}
					}
				})
				l.settle()
				e.send(l)
				l.wantCause("Each", await(l, "Each", failed), e.want)
				l.wantCause("Write", await(l, "Write", wrote), e.want)
				l.at(0)
			})
		})
	}
}

// A read that waits while another goroutine closes returns at once, where the
// stream can be woken.
func TestCloseWakesReads(t *testing.T) {
	for _, way := range calls[:3] {
		t.Run(way.name, func(t *testing.T) {
			overKinds(t, kindsThat(func(k streamKind) bool { return k.deadlines == deadlinesWork }), func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				failed := call(func() error { return way.call(context.Background(), l.c) })
				other := call(func() error { return way.call(context.Background(), l.c) })
				l.settle()
				closed := startClose(l.c)
				l.wantCause(way.name, await(l, way.name, failed), closedHere)
				l.wantCause(way.name, await(l, way.name, other), closedHere)
				l.at(0)
				l.wantAllSay(closedHere)
				l.p.WantClose(frame.StatusNormalClosure)
				l.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
				l.p.Close()
				wantNoError(t, await(l, "Close", closed))
				l.at(0)
			})
		})
	}
}

// Close answers as soon as the peer's Close frame is there: nobody who calls it
// needs the end of the stream.
func TestCloseDoesNotWaitForTheStream(t *testing.T) {
	for name, reads := range map[string]bool{"nobody reads": false, "somebody reads": true} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				if reads {
					reading(l.c)
					l.settle()
				}
				closed := startClose(l.c)
				l.p.WantClose(frame.StatusNormalClosure)
				l.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
				wantNoError(t, await(l, "Close", closed))
				l.at(0)
			})
		})
	}
}

// A peer that never answers keeps Close for CloseTimeout, and nothing longer.
func TestCloseUnanswered(t *testing.T) {
	const timeout = 300 * time.Millisecond
	for name, reads := range map[string]bool{"nobody reads": false, "somebody reads": true} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				l := s.link(t, limits(conn.Limits{CloseTimeout: timeout}), 0)
				failed := make(<-chan error)
				if reads {
					failed = reading(l.c)
					l.settle()
				}
				if err := await(l, "Close", startClose(l.c)); err == nil || errors.Is(err, net.ErrClosed) {
					l.Errorf("Close of a silent peer = %v", err)
				}
				l.atWithGrace(timeout)
				if reads {
					l.wantCause("Each", await(l, "Each", failed), closedHere)
					l.atWithGrace(timeout)
				}
				l.wantAllSay(closedHere)
			})
		})
	}
}

// A Close while a callback of Each runs returns at once, be it called by the
// callback or by others. The messages behind it are discarded.
func TestCloseBesideCallback(t *testing.T) {
	for name, inside := range map[string]bool{"inside": true, "outside": false} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				l.p.Send(l.text("one"), l.text("two"))
				closed := make(chan error, 1)
				failed := call(func() error {
					return each(l.c, context.Background(), func(m conn.Message) error {
						if string(m.Payload) != "one" {
							l.Errorf("%q was delivered after Close", m.Payload)
						}
						if inside {
							closed <- l.c.Close(frame.StatusNormalClosure, "")
						} else {
							closed <- <-startClose(l.c)
						}
						l.at(0)
						return nil
					})
				})
				wantNoError(t, await(l, "Close", closed))
				l.wantCause("Each", await(l, "Each", failed), closedHere)
				l.at(0)
			})
		})
	}
}

// A ctx that ends while the connection does is obeyed: by a read, a Ping and a
// Write whose peer has stopped.
func TestEndObeysContexts(t *testing.T) {
	for _, call := range calls[:7] {
		t.Run(call.name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				closed := startClose(l.c)
				l.p.WantClose(frame.StatusNormalClosure)
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				if err := call.call(ctx, l.c); err == nil {
					l.Errorf("%s = nil", call.name)
				}
				l.between(0, 100*time.Millisecond+l.grace())
				l.c.CloseNow()
				await(l, "Close", closed)
			})
		})
	}
}

// CloseNow after the peer's end waits for nothing, and takes nothing from the
// stream's: the Close frame that answers the peer still arrives, and the stream
// ends within its bounds.
func TestCloseNowLeavesTheEnd(t *testing.T) {
	for _, e := range enders {
		t.Run(e.name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				failed := reading(l.c)
				e.send(l)
				l.wantCause("Each", await(l, "Each", failed), e.want)
				wantError(t, l.c.CloseNow(), net.ErrClosed)
				l.at(0)
				l.wantAllSay(e.want)
				for {
					f, err := l.p.Next()
					if err != nil {
						l.Fatalf("%v; want our Close frame", err)
					}
					if f.Header.Opcode == frame.Close {
						break
					}
				}
				l.wantStreamEnds()
			})
		})
	}
}
