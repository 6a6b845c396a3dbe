package conn_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A write makes progress as long as the stream takes a byte now and then. What
// a single write of a TLS stream, or of one without deadlines, has got rid of
// can't be seen, and is not asked for here.

// progressing are the kinds of streams of whose writes the progress can be seen.
func progressing() []streamKind {
	return kindsThat(func(k streamKind) bool {
		return k.deadlines == deadlinesWork && k.name != "tls" && k.name != "tls in memory"
	})
}

// slowly takes a piece of n bytes from the peer's end each time that every has
// gone, until total bytes have come. It returns how many came.
func slowly(nc net.Conn, n, total int, every time.Duration) (came int, err error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for came < total {
		<-tick.C
		piece := make([]byte, min(n, total-came))
		if _, err := io.ReadFull(nc, piece); err != nil {
			return came, err
		}
		came += len(piece)
	}
	return came, nil
}

// A timed stream keeps the longest time from one read that got something to the next, and to
// one that has failed.
type timed struct {
	net.Conn
	last    time.Time
	longest time.Duration
}

func (c *timed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	now := time.Now()
	c.longest, c.last = max(c.longest, now.Sub(c.last)), now
	return n, err
}

// paceTries is how often a test of a slow peer begins again on a socket, if the peer has stopped
// by itself. Nothing holds it up in memory.
const paceTries = 5

// atPace runs f with a link whose WriteTimeout is that of the pace, and with the peer's end of
// it. f returns what has gone wrong. That counts only if the peer has kept its pace.
func (s streamCase) atPace(t *testing.T, f func(l *link, pace pace, theirs net.Conn) error) {
	t.Helper()
	pace := s.pace()
	for try := 1; ; try++ {
		l := s.link(t, limits(conn.Limits{WriteTimeout: pace.timeout, PingInterval: -1}), 2<<10)
		theirs := &timed{Conn: l.p.NetConn(), last: l.start}
		err := f(l, pace, theirs)
		if err == nil {
			return
		}
		if s.memory || try == paceTries || theirs.longest < pace.timeout/3 {
			l.Errorf("%v; the peer has stopped for %v at most", err, theirs.longest)
			return
		}
		l.c.CloseNow()
		l.p.Close()
	}
}

// A pace is how slowly a peer reads, measured by the WriteTimeout.
type pace struct {
	timeout, every time.Duration
	piece          int
}

// pace returns one at which 60 KiB take three times times the WriteTimeout. In
// memory it is 1 KiB a second.
func (s streamCase) pace() pace {
	if s.memory {
		return pace{10 * time.Second, time.Second, 1 << 10}
	}
	return pace{1500 * time.Millisecond, 75 * time.Millisecond, 2 << 10}
}

// A message of 60 KiB goes out to a peer that takes 1 KiB a second, however it
// is sent.
func TestSlowPeerIsNotCut(t *testing.T) {
	const size = 60 << 10
	ways := append(writeWays[:len(writeWays):len(writeWays)], struct {
		name  string
		write func(ctx context.Context, c *conn.Conn, p []byte) error
	}{"Send", func(_ context.Context, c *conn.Conn, p []byte) error {
		return c.Send(conn.NewPrepared(conn.Binary, p))
	}})
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			overKinds(t, progressing(), func(t *testing.T, s streamCase) {
				s.atPace(t, func(l *link, pace pace, theirs net.Conn) error {
					failed := reading(l.c)
					wrote := call(func() error { return w.write(context.Background(), l.c, noise(size)) })
					if came, err := slowly(theirs, pace.piece, size, pace.every); err != nil {
						return fmt.Errorf("%v after %d bytes", err, came)
					}
					if err := await(l, w.name, wrote); err != nil {
						return err
					}
					l.p.Close()
					l.wantCause("Each", await(l, "Each", failed), wasCut)
					return nil
				})
			})
		})
	}
}

// So do many messages, and the Close frame after them.
func TestSlowPeerGetsCloseFrame(t *testing.T) {
	const count, size = 60, 1 << 10
	overKinds(t, progressing(), func(t *testing.T, s streamCase) {
		s.atPace(t, func(l *link, pace pace, theirs net.Conn) error {
			for range count {
				wantNoError(t, l.c.Send(conn.NewPrepared(conn.Binary, noise(size))))
			}
			closed := startClose(l.c)
			p := wstest.NewPeer(t, counting{theirs, pace}, !s.role)
			p.Timeout = 0
			for i := range count {
				if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Binary {
					return fmt.Errorf("got %v, %v; want message %d", f, err, i)
				}
			}
			f, err := p.Next()
			if err != nil || f.Header.Opcode != frame.Close {
				return fmt.Errorf("got %v, %v; want a Close frame", f, err)
			}
			if code, _, err := frame.ParseClose(f.Payload); code != frame.StatusNormalClosure {
				return fmt.Errorf("got the code %d, %v", code, err)
			}
			p.Send(wstest.Close(frame.StatusNormalClosure, ""))
			p.Close()
			return await(l, "Close", closed)
		})
	})
}

// A counting stream reads at a pace.
type counting struct {
	net.Conn
	pace
}

func (c counting) Read(p []byte) (int, error) {
	<-time.After(c.every)
	return c.Conn.Read(p[:min(len(p), c.piece)])
}

// A peer that takes nothing is cut after WriteTimeout, over every stream: the
// clock starts with the last byte that it took.
func TestStalledPeerIsCut(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		timeout := 10 * time.Second
		if !s.memory {
			timeout = time.Second
		}
		l := s.link(t, limits(conn.Limits{WriteTimeout: timeout, PingInterval: -1}), 4<<10)
		failed := reading(l.c)
		l.wantCause("Write", l.c.Write(context.Background(), conn.Binary, noise(4<<20)), writeStalled)
		l.between(timeout, 2*timeout+l.grace()+conn.LateTime)
		l.wantCause("Each", await(l, "Each", failed), writeStalled)
		l.between(timeout, 2*timeout+l.grace()+conn.LateTime)
		l.wantAllSay(writeStalled)
	})
}

// A peer that stops in the middle is cut as well, WriteTimeout later.
func TestPeerThatStopsIsCut(t *testing.T) {
	overKinds(t, progressing(), func(t *testing.T, s streamCase) {
		s.atPace(t, func(l *link, pace pace, theirs net.Conn) error {
			wrote := call(func() error { return l.c.Write(context.Background(), conn.Binary, noise(1<<20)) })
			var stopped time.Duration
			for _, total := range []int{30<<10 - pace.piece, pace.piece} {
				stopped = time.Since(l.start)
				if came, err := slowly(theirs, pace.piece, total, pace.every); err != nil {
					return fmt.Errorf("%v after %d bytes of %d", err, came, total)
				}
			}
			l.wantCause("Write", <-wrote, writeStalled)
			l.between(stopped+pace.timeout/2, stopped+pace.every+2*pace.timeout)
			return nil
		})
	})
}

// A peer that takes a byte now and then makes progress, but not a KiB a second
// over all. It holds neither a write nor, after the end, the connection. A kernel
// tells of no single byte.
func TestDrippingPeerIsCut(t *testing.T) {
	ends := []struct {
		name string
		end  func(l *link) <-chan error
		want string
	}{
		{"Write", func(l *link) <-chan error {
			return call(func() error { return l.c.Write(context.Background(), conn.Binary, noise(1<<20)) })
		}, writeStalled},
		{"Close", func(l *link) <-chan error { return startClose(l.c) }, ""},
		{"peer closes", func(l *link) <-chan error {
			l.p.Send(wstest.Close(4000, ""))
			return call(func() error { <-l.c.Done(); return nil })
		}, ""},
	}
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			overKinds(t, slices.DeleteFunc(progressing(), func(k streamKind) bool { return !k.memory }), func(t *testing.T, s streamCase) {
				pace := s.pace()
				l := s.link(t, limits(conn.Limits{WriteTimeout: pace.timeout, PingInterval: -1}), 2<<10)
				l.c.Write(l.endedSoon(), conn.Binary, noise(60<<10)) // it goes on in the background
				failed := reading(l.c)
				ended := e.end(l)
				began := time.Since(l.start)
				go slowly(l.p.NetConn(), 1, 1<<20, pace.timeout/3)
				if err := await(l, e.name, ended); e.want != "" {
					l.wantCause(e.name, err, e.want)
				}
				await(l, "Each", failed)
				<-l.c.Done()
				l.between(began+pace.timeout/2, began+2*pace.timeout+5*time.Second)
			})
		})
	}
}

// endedSoon returns a ctx that ends when a write that can go on has begun to
// wait.
func (l *link) endedSoon() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		l.settle()
		cancel()
	}()
	return ctx
}
