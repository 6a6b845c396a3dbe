package conn_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// reading reads from c until it fails, and hands the error over.
func reading(c *conn.Conn) <-chan error {
	failed := make(chan error, 1)
	go func() {
		failed <- each(c, context.Background(), func(conn.Message) error { return nil })
	}()
	return failed
}

// pings returns n Pings and the Pongs that answer them.
func pings(n int) (pings, pongs []wstest.Frame) {
	for i := range n {
		s := fmt.Sprint("ping ", i)
		pings, pongs = append(pings, wstest.Ping(s)), append(pongs, wstest.Pong(s))
	}
	return pings, pongs
}

// A thousand Pings at once are answered in order; the next one fails the
// connection.
func TestPingsAtOnce(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.PipePeer(t, role, nil)
			failed := reading(c)
			ping, pong := pings(1000)
			p.Send(ping...)
			p.Want(pong...)
			p.Send(wstest.Ping("one too many"))
			p.WantClose(frame.StatusPolicyViolation)
			p.Close()
			wantCode(t, <-failed, frame.StatusPolicyViolation)
		})
	})
}

// A hundred Pings a second go on for ever, and a pause of a second makes room
// for a hundred.
func TestPingsSteady(t *testing.T) {
	duration := 3 * time.Hour
	if testing.Short() || conn.RaceEnabled {
		duration = 10 * time.Minute
	}
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.PipePeer(t, role, nil)
			failed := reading(c)
			ping, pong := pings(1000)
			p.Send(ping...)
			p.Want(pong...)
			ping, pong = pings(100)
			for range duration / time.Second {
				<-time.After(time.Second)
				p.Send(ping...)
				p.Want(pong...)
			}
			<-time.After(time.Second)
			ping, pong = pings(101)
			p.Send(ping...)
			p.Want(pong[:100]...)
			p.WantClose(frame.StatusPolicyViolation)
			p.Close()
			wantCode(t, <-failed, frame.StatusPolicyViolation)
		})
	})
}

// A peer that sends Pings and never reads costs no more than one Pong beyond
// what is on its way: messages are delivered all the same, and once it reads
// the last answer is that to its latest Ping.
func TestPingsNotRead(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Size: 1 << 10})
			got := make(chan string, 1)
			go each(c, context.Background(), func(m conn.Message) error {
				got <- string(m.Payload)
				return nil
			})
			for i := range 999 {
				p.Send(wstest.Ping(fmt.Sprintf("%0100d", i)))
				if i == 20 { // the write that blocks has few of them
					synctest.Wait()
				}
			}
			p.Send(wstest.Ping("the last one"), wstest.Text("a message"))
			if m := <-got; m != "a message" {
				t.Errorf("got %q", m)
			}
			for n := 1; ; n++ {
				f, err := p.Next()
				if err != nil || f.Header.Opcode != frame.Pong {
					t.Fatalf("got %v, %v", f, err)
				}
				if string(f.Payload) == "the last one" {
					if n > 700 {
						t.Errorf("%d Pongs were kept", n)
					}
					break
				}
			}
			p.WantSilence(time.Second)
		})
	})
}

// A peer that goes on sending Pings and never reads is cut once a write has
// made no progress for 10 s, which a pipe tells late.
func TestPingFloodNotRead(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Size: 1 << 10})
			failed := reading(c)
			start := time.Now()
			ping := wstest.Ping("0123456789")
			ping.Header.Masked = role == conn.RoleServer
			flood := bytes.Repeat(ping.Append(nil), 90)
			for err := error(nil); err == nil; _, err = p.NetConn().Write(flood) {
				<-time.After(time.Second)
			}
			wantError(t, <-failed, os.ErrDeadlineExceeded)
			if d := time.Since(start); d < 11*time.Second || d > 23*time.Second {
				t.Errorf("it took %v, want 11s to 23s", d)
			}
		})
	})
}

// A Ping that comes while a large frame is being written is answered behind it.
func TestPingDuringWrite(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		failed := reading(b.c)
		message := make([]byte, 300_000)
		wrote := make(chan error, 1)
		go func() { wrote <- b.c.Write(context.Background(), conn.Binary, message) }()
		synctest.Wait()
		b.p.Send(wstest.Ping("now"))
		synctest.Wait()
		b.p.WantMessage(frame.Binary, message)
		b.p.Want(wstest.Pong("now"))
		if err := <-wrote; err != nil {
			b.Error(err)
		}
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}
