package conn_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// Nothing that must end hangs on a deadline alone: there are streams that have
// none, and some that say that they had set it. Whatever ends by a deadline on
// other streams ends here a second later at most.

// deadlineless are the kinds of streams whose deadlines do nothing.
func deadlineless() []streamKind {
	return kindsThat(func(k streamKind) bool { return k.deadlines != deadlinesWork })
}

// A read ends with its ctx, and what becomes of the connection then is nobody's
// ctx.
func TestNoDeadlineReads(t *testing.T) {
	for _, way := range calls[:3] {
		t.Run(way.name, func(t *testing.T) {
			overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				failed := call(func() error { return way.call(ctx, l.c) })
				wantError(t, await(l, way.name, failed), context.DeadlineExceeded)
				l.atWithGrace(3 * time.Second)
				if err := l.c.Write(context.Background(), conn.Text, nil); isContextError(err) {
					l.Errorf("Write = %v, which is another caller's ctx", err)
				}
			})
		})
	}
}

// So does a read of a Reader, in the middle of a message.
func TestNoDeadlineReader(t *testing.T) {
	overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		l.p.Send(wstest.Text("the beginning").More())
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, r, err := l.c.Reader(ctx)
		if err != nil {
			l.Fatal(err)
		}
		failed := call(func() error { _, err := io.ReadAll(r); return err })
		wantError(t, await(l, "the Reader", failed), context.DeadlineExceeded)
		l.atWithGrace(3 * time.Second)
	})
}

// A NetConn has deadlines of its own, which work.
func TestNoDeadlineNetConn(t *testing.T) {
	overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		nc := conn.NetConn(l.c, conn.Binary)
		wantNoError(t, nc.SetReadDeadline(time.Now().Add(3*time.Second)))
		failed := call(func() error { _, err := nc.Read(make([]byte, 1)); return err })
		wantError(t, await(l, "the NetConn", failed), os.ErrDeadlineExceeded)
		l.atWithGrace(3 * time.Second)
	})
}

// Ping and Write end with their ctx as everywhere.
func TestNoDeadlineWrites(t *testing.T) {
	overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 1<<10)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		pinged := call(func() error { return l.c.Ping(ctx) })
		wrote := call(func() error {
			for {
				if err := l.c.Write(ctx, conn.Binary, noise(10_000)); err != nil {
					return err
				}
			}
		})
		wantError(t, await(l, "Write", wrote), context.DeadlineExceeded)
		wantError(t, await(l, "Ping", pinged), context.DeadlineExceeded)
		l.at(3 * time.Second)
	})
}

// CloseNow wakes all that wait.
func TestNoDeadlineCloseNow(t *testing.T) {
	overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 1<<10)
		var waiting []<-chan error
		for _, c := range calls[:7] {
			waiting = append(waiting, call(func() error { return c.call(context.Background(), l.c) }))
		}
		waiting = append(waiting, call(func() error {
			for {
				if err := l.c.Write(context.Background(), conn.Binary, noise(10_000)); err != nil {
					return err
				}
			}
		}))
		l.settle()
		wantNoError(t, l.c.CloseNow())
		for _, failed := range waiting {
			if err := await(l, "a call", failed); err != nil { // some messages went out
				l.wantCause("a call", err, closedHere)
			}
		}
		l.at(0)
		l.wantAllSay(closedHere)
		l.wantStreamClosed(0)
	})
}

// Close gives a peer that does not answer CloseTimeout, whether or not somebody
// reads, in a stream that is stuck as well.
func TestNoDeadlineClose(t *testing.T) {
	for name, stuck := range map[string]bool{"silent": false, "stuck": true} {
		t.Run(name, func(t *testing.T) {
			overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 1<<10)
				failed := reading(l.c)
				end := 5 * time.Second
				if stuck {
					wantNoError(t, l.c.Send(conn.NewPrepared(conn.Binary, noise(50_000)).Uncompressed()))
					end = 15 * time.Second
				}
				l.settle()
				if err := await(l, "Close", startClose(l.c)); err == nil {
					l.Error("Close of a peer that does not answer = nil")
				}
				l.between(5*time.Second, end+time.Second)
				l.wantCause("Each", await(l, "Each", failed), closedHere)
				l.between(5*time.Second, end+time.Second)
				l.wantStreamClosedWithin(end + time.Second)
			})
		})
	}
}

// A message that does not come to its end is given up in its time.
func TestNoDeadlineTrickle(t *testing.T) {
	overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
		l := s.link(t, limits(conn.Limits{PingInterval: -1}), 0)
		l.p.Send(wstest.Text("the beginning").More())
		l.wantCause("Each", await(l, "Each", reading(l.c)), brokenRule(frame.StatusPolicyViolation))
		l.atWithGrace(120 * time.Second)
	})
}

// The keepalive goes on for as long as the peer answers.
func TestNoDeadlineKeepalive(t *testing.T) {
	overKinds(t, deadlineless(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		failed := reading(l.c)
		for i := range 5 {
			pong := l.wantPing()
			at := time.Duration(i+1) * 25 * time.Second
			l.between(at, at+time.Duration(i+1)*l.grace())
			l.p.Send(pong)
		}
		l.c.CloseNow()
		l.wantCause("Each", await(l, "Each", failed), closedHere)
	})
}

// Dial over a stream whose deadlines do nothing ends, with a connection that
// works or with an error, in a second.
func TestNoDeadlineDial(t *testing.T) {
	wraps := map[string]func(net.Conn) net.Conn{
		"refused": func(nc net.Conn) net.Conn { return timeless{nc} },
		"ignored": func(nc net.Conn) net.Conn { return &liar{&tap{Conn: nc}} },
	}
	for name, wrap := range wraps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &memoryNet{accept: make(chan net.Conn), closed: make(chan struct{})}
				hs := &http.Server{Handler: &conn.Server{Serve: echo}, ReadHeaderTimeout: time.Minute}
				served := make(chan error, 1)
				go func() { served <- hs.Serve(n) }()
				defer func() {
					hs.Close()
					<-served
					<-time.After(time.Hour)
				}()
				var streams []net.Conn
				transport := &http.Transport{DisableKeepAlives: true,
					DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
						nc, err := n.dial(ctx, network, address)
						if err != nil {
							return nil, err
						}
						streams = append(streams, nc)
						return wrap(nc), nil
					}}
				start := time.Now()
				type dialed struct {
					c   *conn.Conn
					err error
				}
				done := make(chan dialed, 1)
				go func() {
					c, _, err := conn.Dial(t.Context(), "ws://memory.test/", &conn.DialOptions{
						Handshake: handshake.DialOptions{HTTPClient: &http.Client{Transport: transport}}})
					done <- dialed{c, err}
				}()
				select {
				case d := <-done:
					if took := time.Since(start); took > time.Second {
						t.Errorf("Dial took %v", took)
					}
					if d.err == nil {
						wantEcho(t, d.c)
						d.c.CloseNow()
					}
				case <-time.After(time.Minute):
					t.Error("Dial takes more than a minute")
				}
				for _, nc := range streams {
					nc.Close()
				}
			})
		})
	}
}
