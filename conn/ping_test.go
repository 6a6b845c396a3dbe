package conn_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// pinging calls Ping and hands over what it returns.
func pinging(ctx context.Context, c *conn.Conn) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Ping(ctx) }()
	synctest.Wait()
	return done
}

// Ping waits for its own Pong; a later one answers for it too (RFC 6455,
// section 5.5.3), and Pongs that nobody asked for are nothing.
func TestPing(t *testing.T) {
	ctx := context.Background()
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		first := pinging(ctx, b.c)
		pong1 := b.wantPing()
		second := pinging(ctx, b.c)
		pong2 := b.wantPing()
		third := pinging(ctx, b.c)
		pong3 := b.wantPing()

		b.p.Send(wstest.Pong(""), wstest.Pong("unasked!"), wstest.Pong("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"))
		synctest.Wait()
		for i, done := range []<-chan error{first, second, third} {
			if len(done) > 0 {
				b.Errorf("Ping %d returned %v without its Pong", i, <-done)
			}
		}
		b.p.Send(pong2)
		wantNoError(b.T, <-first)
		wantNoError(b.T, <-second)
		b.p.Send(pong1, pong2)
		synctest.Wait()
		if len(third) > 0 {
			b.Error("a Pong answered a later Ping")
		}
		b.sleep(time.Second)
		b.p.Send(pong3)
		wantNoError(b.T, <-third)
		b.at(time.Second)
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// Ping ends with its ctx, and with the connection.
func TestPingEnds(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		wantError(b.T, b.c.Ping(ctx), context.DeadlineExceeded)
		b.at(3 * time.Second)
		wantError(b.T, b.c.Ping(ctx), context.DeadlineExceeded)
		b.wantPing()
		done := pinging(context.Background(), b.c)
		b.wantPing()
		b.p.Send(wstest.Close(frame.StatusGoingAway, ""))
		b.p.Close()
		wantClosed(b.T, <-done, frame.StatusGoingAway)
		wantClosed(b.T, <-failed, frame.StatusGoingAway)
	})
}

// CloseRead answers Pings, tells the end, and fails the connection when a
// message comes.
func TestCloseRead(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		ctx := b.c.CloseRead(context.Background())
		b.p.Send(wstest.Ping("a"))
		b.p.Want(wstest.Pong("a"))
		wantNoError(b.T, b.c.Write(ctx, conn.Text, []byte("written")))
		b.p.Want(wstest.Text("written"))
		b.p.Send(wstest.Text("not expected"))
		b.p.WantClose(frame.StatusPolicyViolation)
		b.p.Close()
		<-ctx.Done()
		wantCode(b.T, context.Cause(ctx), frame.StatusPolicyViolation)
	})
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		ctx := b.c.CloseRead(context.Background())
		b.p.Send(wstest.Close(frame.StatusGoingAway, ""))
		b.p.Close()
		<-ctx.Done()
		wantClosed(b.T, context.Cause(ctx), frame.StatusGoingAway)
	})
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		parent, cancel := context.WithCancel(context.Background())
		ctx := b.c.CloseRead(parent)
		cancel()
		<-ctx.Done()
		synctest.Wait()
		b.p.Send(wstest.Text("read by another"))
		if _, got, err := b.c.Read(context.Background()); err != nil || string(got) != "read by another" {
			b.Errorf("got %q, %v", got, err)
		}
	})
}

// A Pong with a number that no Ping has had answers none.
func TestPongOfNoPing(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		unknown := wstest.Pong("\xff\xff\xff\xff\xff\xff\xff\xff")
		b.p.Send(unknown, wstest.Pong("\x00\x00\x00\x00\x00\x00\x00\x00"))
		answered := call(func() error { return b.c.Ping(context.Background()) })
		pong := b.wantPing()
		b.p.Send(unknown)
		synctest.Wait()
		select {
		case err := <-answered:
			b.Errorf("Ping = %v without its Pong", err)
		default:
			b.p.Send(pong)
			wantNoError(b.T, <-answered)
		}
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// An overtaken stream writes what is tried, and has what then comes arrive before the call returns.
type overtaken struct {
	net.Conn
	then func(sent []byte)
}

func (s overtaken) TryWrite(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.then(p[:n])
	return n, err
}

// A Pong after the peer's Close frame answers no Ping: nothing counts any more (RFC 6455, section
// 5.5.1). Ping has not begun to wait when both have come; of two reasons to return it would pick
// one at random, so there are many.
func TestPongAfterClose(t *testing.T) {
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			defer theirs.Close()
			s := overtaken{Conn: ours, then: func(sent []byte) {
				h, n, err := frame.Parse(sent)
				if err != nil || h.Opcode != frame.Ping {
					return
				}
				answer := wstest.Close(frame.StatusGoingAway, "")
				pong := wstest.Pong(string(sent[n:]))
				answer.Header.Masked, pong.Header.Masked = true, true
				theirs.Write(pong.Append(answer.Append(nil)))
				synctest.Wait()
			}}
			c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, nil))
			defer c.CloseNow()
			failed := reading(c)
			synctest.Wait()
			wantClosed(t, c.Ping(t.Context()), frame.StatusGoingAway)
			wantClosed(t, <-failed, frame.StatusGoingAway)
		})
	}
}
