package conn_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// begin returns the start of a binary frame of length octets, of which only
// the first is there, for a Conn in the given role.
func begin(role conn.Role, length int64) wstest.Frame {
	f := wstest.Binary([]byte{0})
	f.Header.Length, f.Header.Masked = length, role == conn.RoleServer
	return f
}

// A message has 120 s and a second for each KiB of it that has come, measured
// from its first octet on.
func TestTrickle(t *testing.T) {
	tests := []struct {
		name     string
		length   int64         // of a frame that begins the message
		more     bool          // it is a fragment
		every    time.Duration // between pieces of it, 0: none comes
		piece    int           // octets of a piece
		min, max time.Duration // when the connection is failed
	}{
		{"frame that stops", 2, false, 0, 0, 120 * time.Second, 120 * time.Second},
		{"fragment that nothing follows", 1, true, 0, 0, 120 * time.Second, 120 * time.Second},
		{"an octet each 10 s", 1 << 40, false, 10 * time.Second, 1, 120 * time.Second, 121 * time.Second},
		{"an octet of a fragment each 10 s", 1 << 40, true, 10 * time.Second, 1, 120 * time.Second, 121 * time.Second},
		{"half a KiB a second", 1 << 40, false, time.Second, 512, 238 * time.Second, 242 * time.Second},
		{"0.9 KiB a second", 1 << 40, false, time.Second, 922, 1190 * time.Second, 1200 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				allWays(t, func(t *testing.T, w way) {
					synctest.Test(t, func(t *testing.T) {
						o := limits(conn.Limits{Message: -1, PingInterval: -1})
						c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o})
						p.Timeout = time.Hour
						f := begin(role, tt.length)
						f.Header.Fin = !tt.more
						failed := make(chan error, 1)
						go func() {
							_, _, err := w.read(c)
							failed <- err
						}()
						<-time.After(time.Minute) // before the first octet no time counts
						start := time.Now()
						var trickling sync.WaitGroup
						p.SendAsIs(f)
						if tt.every > 0 {
							trickling.Go(func() { trickle(p, tt.every, tt.piece) })
						}
						p.WantClose(frame.StatusPolicyViolation)
						if d := time.Since(start); d < tt.min || d > tt.max {
							t.Errorf("failed after %v, want %v to %v", d, tt.min, tt.max)
						}
						p.Close()
						wantCode(t, <-failed, frame.StatusPolicyViolation)
						trickling.Wait()
					})
				})
			})
		})
	}
}

// trickle sends pieces of octets until the stream is closed.
func trickle(p *wstest.Peer, every time.Duration, piece int) {
	for {
		<-time.After(every)
		if _, err := p.NetConn().Write(make([]byte, piece)); err != nil {
			return
		}
	}
}

// A message that comes at more than 1 KiB a second may take as long as it
// likes, and one after the other may come slowly: each has its own time.
func TestTrickleLegal(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			o := limits(conn.Limits{Message: -1})
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o})
			const seconds = 3600
			go func() {
				f := begin(role, seconds*1100+1)
				p.SendAsIs(f)
				for range seconds {
					<-time.After(time.Second)
					p.SendBytes(make([]byte, 1100))
				}
				for range 100 {
					<-time.After(20 * time.Second)
					p.SendAsIs(begin(role, 21))
					for range 20 {
						<-time.After(4 * time.Second)
						p.SendBytes([]byte{0})
					}
				}
			}()
			for i := range 101 {
				_, got, err := c.Read(context.Background())
				if want := 21; err != nil || i > 0 && len(got) != want {
					t.Fatalf("message %d: got %d octets, %v", i, len(got), err)
				}
			}
		})
	})
}

// What the application takes between two reads of a message does not count,
// and does not make the Conn forget what is left of the message's time.
func TestTrickleSlowReader(t *testing.T) {
	inBubbles(t, conn.Limits{PingInterval: -1}, func(b *bubble) {
		b.p.SendAsIs(begin(b.role, 1000))
		_, r, err := b.c.Reader(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		octet := make([]byte, 1)
		read := func() error { _, err := r.Read(octet); return err }
		wantNoError(b.T, read())
		go func() {
			b.sleep(10 * time.Second)
			b.p.NetConn().Write(octet)
		}()
		wantNoError(b.T, read())
		b.at(10 * time.Second)
		b.sleep(time.Hour)
		failed := make(chan error, 1)
		go func() { failed <- read() }()
		b.p.WantClose(frame.StatusPolicyViolation)
		if d := time.Since(b.start); d < time.Hour+120*time.Second || d > time.Hour+121*time.Second {
			b.Errorf("failed after %v, want an hour and 120s", d)
		}
		b.p.Close()
		wantCode(b.T, <-failed, frame.StatusPolicyViolation)
	})
}
