package conn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// The adapter keeps the contract of net.Conn over every kind of stream.
func TestNetConn(t *testing.T) {
	allStreams(t, func(t *testing.T, s stream) {
		t.Parallel()
		nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
			server, client := s.conns(t, nil)
			return conn.NetConn(server, conn.Binary), conn.NetConn(client, conn.Binary), func() {
				for _, c := range []*conn.Conn{server, client} { // at once: each awaits the other
					go c.Close(frame.StatusNormalClosure, "")
				}
				<-server.Done()
				<-client.Done()
			}, nil
		})
	})
}

// Messages are one stream of octets, each Write is a message, 1000 and 1001
// are EOF and other codes are not.
func TestNetConnOctets(t *testing.T) {
	for code, want := range map[frame.StatusCode]error{1000: io.EOF, 1001: io.EOF, 1011: nil} {
		inBubbles(t, conn.Limits{}, func(b *bubble) {
			nc := conn.NetConn(b.c, conn.Text)
			b.p.Send(wstest.Text("a").More(), wstest.Ping(""), wstest.Cont("b"), wstest.Text(""), wstest.Text("cd"),
				wstest.Close(code, ""))
			p := make([]byte, 4)
			if _, err := io.ReadFull(nc, p[:1]); err != nil {
				b.Fatal(err)
			}
			if n, err := nc.Write([]byte("whole")); n != 5 || err != nil {
				b.Errorf("Write = %d, %v", n, err)
			}
			if _, err := io.ReadFull(nc, p[1:]); err != nil || string(p) != "abcd" {
				b.Errorf("got %q, %v", p, err)
			}
			if _, err := nc.Read(p); want != nil {
				wantError(b.T, err, want)
			} else {
				wantClosed(b.T, err, code)
			}
			b.p.Want(wstest.Text("whole"), wstest.Pong(""))
			b.p.WantClose(code)
			if err := nc.Close(); err != nil {
				b.Errorf("Close after the peer's = %v", err)
			}
			wantClosedHere(b.T, nc.Close())
		})
	}
}

// A message of another kind fails the connection with 1003.
func TestNetConnKind(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		b.p.Send(wstest.Text("not binary"))
		failed := make(chan error, 1)
		go func() {
			_, err := conn.NetConn(b.c, conn.Binary).Read(make([]byte, 1))
			failed <- err
		}()
		b.p.WantClose(frame.StatusUnsupportedData)
		wantCode(b.T, <-failed, frame.StatusUnsupportedData)
	})
}

// Close closes with 1000, and nothing is left of the Conn, nor of its deadlines.
func TestNetConnClose(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		nc := conn.NetConn(b.c, conn.Binary)
		if nc.LocalAddr() != b.c.LocalAddr() || nc.RemoteAddr() != b.c.RemoteAddr() {
			b.Errorf("addresses %v, %v", nc.LocalAddr(), nc.RemoteAddr())
		}
		nc.SetDeadline(time.Now().Add(time.Hour))
		closed := make(chan error, 1)
		go func() { closed <- nc.Close() }()
		b.p.WantClose(frame.StatusNormalClosure)
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		b.p.CloseWrite()
		if err := <-closed; err != nil {
			b.Error(err)
		}
		b.sleep(2 * time.Hour)
		_, err := nc.Read(make([]byte, 1))
		wantClosedHere(b.T, err)
		_, err = nc.Write(make([]byte, 1))
		wantClosedHere(b.T, err)
		wantClosedHere(b.T, b.c.Write(context.Background(), conn.Text, nil))
	})
}

// Close tells of a peer that does not answer, as Conn.Close does.
func TestNetConnCloseSilentPeer(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		if err := conn.NetConn(b.c, conn.Binary).Close(); err == nil || errors.Is(err, net.ErrClosed) {
			b.Errorf("Close = %v, want an error that tells of the peer", err)
		}
		b.at(5 * time.Second)
	})
}

// A Read of nothing takes nothing, and returns as soon as there is something.
func TestNetConnReadsNothing(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		nc := conn.NetConn(b.c, conn.Binary)
		b.p.Send(wstest.Binary([]byte("ab")))
		for _, n := range []int{0, 1, 0, 1} {
			if got, err := nc.Read(make([]byte, n)); got != n || err != nil {
				b.Errorf("Read of %d bytes: %d, %v", n, got, err)
			}
		}
	})
}

// Reads that meet come one after the other: each gets its part of a message.
func TestNetConnReadsMeet(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		nc := conn.NetConn(b.c, conn.Binary)
		got := make(chan string, 3)
		for range 3 {
			go func() {
				p := make([]byte, 1)
				n, err := nc.Read(p)
				if err != nil {
					b.Error(err)
				}
				got <- string(p[:n])
			}()
		}
		synctest.Wait()
		b.p.Send(wstest.Binary([]byte("abc")))
		all := []string{<-got, <-got, <-got}
		if slices.Sort(all); !slices.Equal(all, []string{"a", "b", "c"}) {
			b.Errorf("the reads get %q", all)
		}
	})
}

// A deadline that has passed, be it at this very moment, holds from the call on that sets it, and
// a Read or Write after that has read and written nothing.
func TestNetConnPastDeadline(t *testing.T) {
	for _, ago := range []time.Duration{time.Second, 0} {
		inBubbles(t, conn.Limits{}, func(b *bubble) {
			nc := conn.NetConn(b.c, conn.Text)
			b.p.Send(wstest.Text("text"))
			synctest.Wait()
			wantNoError(b.T, nc.SetDeadline(time.Now().Add(-ago)))
			for name, call := range map[string]func([]byte) (int, error){"Read": nc.Read, "Write": nc.Write} {
				if n, err := call(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					b.Errorf("%v ago: %s = %d, %v", ago, name, n, err)
				}
			}
		})
	}
}

// A Read whose deadline passes while it waits for the next message has read nothing.
func TestNetConnDeadlineBetweenMessages(t *testing.T) {
	for range 20 { // whether the message or the deadline comes first is up to chance
		inBubbles(t, conn.Limits{}, func(b *bubble) {
			nc := conn.NetConn(b.c, conn.Text)
			wantNoError(b.T, nc.SetReadDeadline(time.Now().Add(time.Second)))
			read := call(func() error {
				n, err := nc.Read(make([]byte, 1))
				if n != 0 {
					b.Errorf("Read = %d, %v", n, err)
				}
				return err
			})
			b.sleep(time.Second)
			b.p.Send(wstest.Text(""))
			wantError(b.T, <-read, os.ErrDeadlineExceeded)
		})
	}
}

// A Write whose deadline passes between two messages tells how much was written before.
func TestNetConnDeadlineBetweenPieces(t *testing.T) {
	const piece = 32 << 10
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.NewSize(1 << 20)
		defer theirs.Close()
		c := must(conn.New(&handshake.Result{Conn: pondering{ours}}, conn.RoleServer, nil)) // a millisecond each
		defer c.CloseNow()
		nc := conn.NetConn(c, conn.Binary)
		wantNoError(t, nc.SetWriteDeadline(time.Now().Add(2500*time.Microsecond)))
		if n, err := nc.Write(make([]byte, 4*piece)); n != 3*piece || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v; want 3 pieces", n, err)
		}
	})
}

// An eventful stream calls a function when a read has brought something.
type eventful struct {
	net.Conn
	came func()
}

func (e eventful) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if n > 0 {
		e.came()
	}
	return n, err
}

// A Read whose deadline passes while the empty end of a message comes has read nothing.
func TestNetConnDeadlineAtEmptyEnd(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			came := func() {}
			c := must(conn.New(&handshake.Result{Conn: eventful{ours, func() { came() }}}, role, nil))
			defer c.CloseNow()
			p, nc := wstest.NewPeer(t, theirs, !role), conn.NetConn(c, conn.Text)
			p.Send(wstest.Text("a").More())
			if n, err := nc.Read(make([]byte, 2)); n != 1 || err != nil {
				t.Fatalf("Read = %d, %v; want the start of the message", n, err)
			}
			came = func() { nc.SetReadDeadline(time.Now().Add(-time.Second)) }
			p.Send(wstest.Cont(""))
			if n, err := nc.Read(make([]byte, 2)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read = %d, %v", n, err)
			}
		})
	})
}

// A deadline that has passed goes before the end of the connection, which calls find again once the
// deadline is moved.
func TestNetConnPastDeadlineAfterEnd(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		nc := conn.NetConn(b.c, conn.Text)
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		for _, step := range []struct {
			deadline time.Time
			want     error
		}{{time.Time{}, io.EOF}, {b.start, os.ErrDeadlineExceeded}, {b.start.Add(time.Hour), io.EOF}} {
			wantNoError(b.T, nc.SetDeadline(step.deadline))
			for range 50 {
				n, err := nc.Read(make([]byte, 1)) // the first one finds the end
				m, failed := nc.Write(make([]byte, 1))
				if n != 0 || m != 0 || !errors.Is(err, step.want) || !errors.Is(failed, step.want) {
					b.Fatalf("deadline %v: Read = %d, %v; Write = %d, %v; want %v", step.deadline, n, err, m, failed, step.want)
				}
			}
		}
	})
}
