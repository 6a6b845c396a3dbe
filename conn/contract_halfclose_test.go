package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A peer may end its direction of the stream right after its last frame, and go
// on reading. What was written before goes out within its bounds.

// A backlog is what a Conn has written to a peer that reads slowly.
type backlog struct {
	l        *link
	messages [][]byte
}

// newBacklog writes more than the stream holds.
func newBacklog(l *link) *backlog {
	l.Helper()
	b := &backlog{l: l}
	for i := range 40 {
		m := bytes.Repeat([]byte{byte(i)}, 1<<10)
		wantNoError(l.T, l.c.Send(conn.NewPrepared(conn.Binary, m).Uncompressed()))
		b.messages = append(b.messages, m)
	}
	l.settle()
	return b
}

// want reads the messages, one each 50 ms.
func (b *backlog) want() {
	b.l.Helper()
	for _, m := range b.messages {
		b.l.sleep(50 * time.Millisecond)
		b.l.p.WantMessage(frame.Binary, m)
	}
}

// After a Close frame of the peer our pending messages go out, then our Close
// frame, and then the stream ends.
func TestHalfCloseAfterClose(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		b := newBacklog(l)
		failed := reading(l.c)
		l.p.Send(wstest.Close(4000, "bye"))
		l.p.CloseWrite()
		l.wantCause("Each", await(l, "Each", failed), peerClosed(4000))
		l.at(0)
		b.want()
		l.p.WantClose(4000)
		l.p.WantEOF()
		l.between(2*time.Second, 3*time.Second)
	})
}

// It is so with nothing pending, too: the Close frame is answered.
func TestHalfCloseAfterCloseIdle(t *testing.T) {
	for name, closes := range map[string]bool{"the peer": true, "both": false} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				for range 20 { // the end and our answer meet in any order
					l := s.link(t, nil, 0)
					failed := reading(l.c)
					if closes {
						l.p.Send(wstest.Ping("ping"), wstest.Close(4000, "bye"))
						l.p.CloseWrite()
						l.wantCause("Each", await(l, "Each", failed), peerClosed(4000))
						l.p.Want(wstest.Pong("ping"))
						l.p.WantClose(4000)
					} else {
						closed := startClose(l.c)
						l.p.WantClose(frame.StatusNormalClosure)
						l.p.Send(wstest.Close(4000, "bye"))
						l.p.CloseWrite()
						wantNoError(t, await(l, "Close", closed))
						l.wantCause("Each", await(l, "Each", failed), closedHere)
					}
					l.p.WantEOF()
					l.at(0)
				}
			})
		})
	}
}

// After its last message, without a Close frame, what is pending goes out as
// well, and then the stream ends. The application is told at once.
func TestHalfCloseWithoutClose(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		b := newBacklog(l)
		l.p.Send(l.text("last"))
		l.p.CloseWrite()
		if _, p, err := l.c.Read(context.Background()); err != nil || string(p) != "last" {
			l.Errorf("got %q, %v", p, err)
		}
		_, _, err := l.c.Read(context.Background())
		l.wantCause("Read", err, wasCut)
		l.at(0)
		l.wantAllSay(wasCut)
		b.want()
		f, err := l.p.Next()
		if err == nil && f.Header.Opcode == frame.Close { // it may be told why
			_, err = l.p.Next()
		}
		if !errors.Is(err, io.EOF) {
			l.Errorf("got %v, %v; want EOF", f, err)
		}
		l.between(2*time.Second, 3*time.Second)
	})
}

// The same for one message that is larger than what may be pending: the Write
// that sends it goes on.
func TestHalfCloseDuringWrite(t *testing.T) {
	for name, closes := range map[string]bool{"Close frame": true, "none": false} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 4<<10)
				message := noise(200_000)
				wrote := call(func() error { return l.c.Write(context.Background(), conn.Binary, message) })
				l.settle()
				p := make([]byte, 1) // the message has begun
				if _, err := io.ReadFull(l.p.NetConn(), p); err != nil {
					l.Fatal(err)
				}
				failed := reading(l.c)
				if closes {
					l.p.Send(wstest.Close(4000, "bye"))
				}
				l.p.CloseWrite()
				err := await(l, "Each", failed)
				if closes {
					l.wantCause("Each", err, peerClosed(4000))
				} else {
					l.wantCause("Each", err, wasCut)
				}
				l.p = wstest.NewPeer(t, prefixed{l.p.NetConn(), bytes.NewReader(p)}, !l.role)
				l.p.WantMessage(frame.Binary, message)
				if closes {
					l.p.WantClose(4000)
					l.p.WantEOF()
				}
				wantNoError(t, await(l, "Write", wrote))
				l.at(0)
			})
		})
	}
}

// A peer that half-closes and stops reading does not keep the stream: it is
// closed when WriteTimeout has gone.
func TestHalfCloseAndStall(t *testing.T) {
	for name, closes := range map[string]bool{"Close frame": true, "none": false} {
		t.Run(name, func(t *testing.T) {
			overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 4<<10)
				newBacklog(l)
				failed := reading(l.c)
				if closes {
					l.p.Send(wstest.Close(4000, "bye"))
				}
				l.p.CloseWrite()
				want := wasCut
				if closes {
					want = peerClosed(4000)
				}
				l.wantCause("Each", await(l, "Each", failed), want)
				l.at(0)
				l.wantStreamClosedWithin(21 * time.Second)
				l.wantAllSay(want)
			})
		})
	}
}
