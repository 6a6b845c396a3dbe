package conn_test

import (
	"context"
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
// gone, until total bytes have come. It returns what came.
func slowly(nc net.Conn, n, total int, every time.Duration) ([]byte, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var came []byte
	for len(came) < total {
		<-tick.C
		piece := make([]byte, min(n, total-len(came)))
		if _, err := io.ReadFull(nc, piece); err != nil {
			return came, err
		}
		came = append(came, piece...)
	}
	return came, nil
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
				pace := s.pace()
				l := s.link(t, limits(conn.Limits{WriteTimeout: pace.timeout, PingInterval: -1}), 2<<10)
				failed := reading(l.c)
				wrote := call(func() error { return w.write(context.Background(), l.c, noise(size)) })
				if came, err := slowly(l.p.NetConn(), pace.piece, size, pace.every); err != nil {
					l.Errorf("%v after %d bytes", err, len(came))
				}
				wantNoError(t, await(l, w.name, wrote))
				l.p.Close()
				l.wantCause("Each", await(l, "Each", failed), wasCut)
			})
		})
	}
}

// So do many messages, and the Close frame after them.
func TestSlowPeerGetsCloseFrame(t *testing.T) {
	const count, size = 60, 1 << 10
	overKinds(t, progressing(), func(t *testing.T, s streamCase) {
		pace := s.pace()
		l := s.link(t, limits(conn.Limits{WriteTimeout: pace.timeout, PingInterval: -1}), 2<<10)
		for range count {
			wantNoError(t, l.c.Send(conn.NewPrepared(conn.Binary, noise(size))))
		}
		closed := startClose(l.c)
		slow := counting{l.p.NetConn(), pace}
		p := wstest.NewPeer(t, slow, !s.role)
		p.Timeout = 0
		for range count {
			if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Binary {
				l.Fatalf("got %v, %v; want a message", f, err)
			}
		}
		p.WantClose(frame.StatusNormalClosure)
		p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		p.Close()
		wantNoError(t, await(l, "Close", closed))
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
		pace := s.pace()
		l := s.link(t, limits(conn.Limits{WriteTimeout: pace.timeout, PingInterval: -1}), 2<<10)
		wrote := call(func() error { return l.c.Write(context.Background(), conn.Binary, noise(1<<20)) })
		if _, err := slowly(l.p.NetConn(), pace.piece, 30<<10, pace.every); err != nil {
			l.Fatal(err)
		}
		stopped := time.Since(l.start)
		l.wantCause("Write", <-wrote, writeStalled)
		l.between(stopped+pace.timeout/2, stopped+2*pace.timeout)
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
