package conn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// Whatever ways of sending meet, in each round all of what they sent arrives
// without anybody doing anything more.
func TestNothingLeftBehind(t *testing.T) {
	const rounds = 100
	kinds := append([]stream{
		{"small pipe", func(testing.TB) (a, b net.Conn) { return pipe.NewSize(500) }},
		{"small TCP", func(t testing.TB) (a, b net.Conn) {
			a, b = tcpPair(t)
			for _, nc := range []net.Conn{a, b} {
				nc.(*net.TCPConn).SetWriteBuffer(4 << 10)
			}
			return a, b
		}},
		{"timeless", func(testing.TB) (a, b net.Conn) { a, b = pipe.New(); return timeless{a}, timeless{b} }},
	}, streams...)
	for _, d := range []*handshake.Deflate{nil, {ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}} {
		for _, s := range kinds {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				t.Run(fmt.Sprint(s.name, d != nil), func(t *testing.T) {
					a, b := s.make(t)
					o := &conn.Options{Limits: conn.Limits{QueueBytes: -1, QueueMessages: -1, Message: -1}}
					c := must(conn.New(&handshake.Result{Conn: a, Deflate: d}, role, o))
					peer := must(conn.New(&handshake.Result{Conn: b, Deflate: d}, !role, o))
					defer peer.CloseNow()
					defer c.CloseNow()
					came := make(chan int, 1000)
					go each(peer, context.Background(), func(m conn.Message) error { came <- len(m.Payload); return nil })
					go c.Read(context.Background())
					for round := range rounds {
						sendAll(t, c, came, uint64(round))
						if t.Failed() {
							return
						}
					}
				})
			})
		}
	}
}

func sendAll(t *testing.T, c *conn.Conn, came chan int, round uint64) {
	rnd := rand.New(rand.NewPCG(round, 1))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 1 + rnd.IntN(6)
	var calls sync.WaitGroup
	errs := make(chan error, n)
	for range n {
		op, size := rnd.IntN(8), rnd.IntN(1<<rnd.IntN(18))
		calls.Go(func() {
			p := make([]byte, size)
			var err error
			switch op {
			case 0, 1:
				err = c.Write(context.Background(), conn.Binary, p)
			case 2:
				err = c.Write(ctx, conn.Binary, p)
			case 3:
				err = c.Send(conn.NewPrepared(conn.Binary, p))
			case 4:
				err = c.WritePrepared(ctx, conn.NewPrepared(conn.Binary, p))
			case 5:
				k := c.Cork()
				err = c.Write(ctx, conn.Binary, p)
				k.Release()
			case 6:
				w, _ := c.Writer(ctx, conn.Binary)
				w.Write(p)
				err = w.Close()
			case 7:
				k := c.Cork()
				err = c.Send(conn.NewPrepared(conn.Binary, p))
				k.Release()
			}
			errs <- err
		})
	}
	ping := make(chan error, 1)
	go func() { ping <- c.Ping(context.Background()) }()
	calls.Wait()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for i := range n {
		if err := <-errs; err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		select {
		case <-came:
		case <-late.C:
			t.Fatalf("round %d: %d of %d messages came", round, i, n)
		}
	}
	select {
	case err := <-ping:
		if err != nil {
			t.Errorf("round %d: ping: %v", round, err)
		}
	case <-late.C:
		t.Fatalf("round %d: no Pong", round)
	}
}

// Every message that a call has accepted arrives, then
// our Close frame, and nothing after it, whether or not the peer ends its
// direction at once.
func TestNothingLostAtTheEnd(t *testing.T) {
	kinds := append([]stream{
		{"small pipe", func(testing.TB) (a, b net.Conn) { return pipe.NewSize(500) }},
		{"half timeless", func(testing.TB) (a, b net.Conn) { a, b = pipe.NewSize(5000); return timeless{a}, b }},
		{"half lying", func(testing.TB) (a, b net.Conn) { a, b = pipe.NewSize(5000); return lying{a}, b }},
	}, streams...)
	for _, s := range kinds {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			t.Run(s.name, func(t *testing.T) {
				for round := range 40 {
					a, b := s.make(t)
					o := &conn.Options{Limits: conn.Limits{QueueBytes: -1, QueueMessages: -1}}
					c := must(conn.New(&handshake.Result{Conn: a}, role, o))
					endOfAll(t, c, wstest.NewPeer(t, b, !role), round)
					if t.Failed() {
						return
					}
				}
			})
		})
	}
}

func endOfAll(t *testing.T, c *conn.Conn, p *wstest.Peer, round int) {
	rnd := rand.New(rand.NewPCG(uint64(round), 7))
	var accepted atomic.Int64
	var calls sync.WaitGroup
	for i := range 4 {
		size := rnd.IntN(1 << (4 + rnd.IntN(14)))
		calls.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			m := conn.NewPrepared(conn.Binary, make([]byte, min(size, 3000)))
			for n := 0; ; n++ {
				var err error
				switch (i + n) % 4 {
				case 0:
					err = c.Write(context.Background(), conn.Binary, make([]byte, size))
				case 1:
					err = c.Write(ctx, conn.Binary, make([]byte, size))
				case 2:
					err = c.WritePrepared(ctx, m)
				default:
					if c.Unsent() {
						continue
					}
					err = c.Send(m)
				}
				if err != nil {
					return
				}
				accepted.Add(1)
			}
		})
	}
	got := reading(c)
	came, last := int64(0), frame.Opcode(0)
	for closeAt, n := 1+rnd.IntN(50), 0; ; n++ {
		f, err := p.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("round %d: after %d messages: %v", round, came, err)
			}
			break
		}
		if last == frame.Close {
			t.Errorf("round %d: %v after Close", round, f)
		}
		if last = f.Header.Opcode; last == frame.Binary {
			came++
		}
		if last == frame.Close {
			p.NetConn().(interface{ CloseWrite() error }).CloseWrite()
		}
		if n == closeAt {
			p.Send(wstest.Close(frame.StatusNormalClosure, ""))
			if round%2 == 0 {
				p.CloseWrite()
			}
		}
	}
	wantClosed(t, <-got, frame.StatusNormalClosure)
	calls.Wait()
	if n := accepted.Load(); came < n || last != frame.Close {
		t.Errorf("round %d: %d messages came, %d were accepted; the last frame is %v", round, came, n, last)
	}
	<-c.Done()
}

// What arrived before a reset is read, whichever half learns of the reset first.
func TestNothingLostAtReset(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		for round := range 300 {
			a, b := tcpPair(t)
			c := must(conn.New(&handshake.Result{Conn: a}, role, nil))
			var calls sync.WaitGroup
			for range 2 {
				calls.Go(func() {
					for c.Write(context.Background(), conn.Binary, make([]byte, 100)) == nil {
					}
				})
			}
			n := 0
			got := make(chan error, 1)
			go func() {
				got <- each(c, context.Background(), func(conn.Message) error { n++; return nil })
			}()
			p := wstest.NewPeer(t, b, !role)
			const messages = 50
			var all []wstest.Frame
			for range messages {
				all = append(all, wstest.Binary(make([]byte, 500)))
			}
			p.Send(append(all, wstest.Close(frame.StatusNormalClosure, ""))...)
			waitSent(t, b.(*net.TCPConn)) // a reset drops those not sent
			b.(*net.TCPConn).SetLinger(0)
			b.Close()
			err := <-got
			if n != messages {
				t.Errorf("round %d: %d of %d messages: %v", round, n, messages, err)
			}
			wantClosed(t, err, frame.StatusNormalClosure)
			calls.Wait()
			if t.Failed() {
				return
			}
			<-c.Done()
		}
	})
}
