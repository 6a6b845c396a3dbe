package network

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// A link that loses 5 % of all packets, and on which one in ten is overtaken, is slow, and
// nothing else: all messages arrive in order, on the same connection.
func TestLossAndReordering(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			long(t)
			const lasts = 40 * time.Second
			w := newWorld(t, 1500, conditions{delay: 100 * time.Millisecond, jitter: 10 * time.Millisecond, loss: 0.05, overdue: 0.1})
			p := &pair{t: t, w: w, message: 4 << 10, clientSends: time.Millisecond, srvSends: time.Millisecond} // more than there is room for
			// TCP waits twice as long after each retransmission that is lost too: about 1 run in 100 has a
			// pause of more than the 10 s that a write may take by default.
			p.limits.WriteTimeout = time.Minute
			p.start(shell.loop())
			before := [2]int64{p.srvrBytes.Load(), p.clientBytes.Load()}
			time.Sleep(lasts)
			up, down := p.srvrBytes.Load()-before[0], p.clientBytes.Load()-before[1]
			if p.opened.count() != 1 || p.clientEnded.count()+p.srvEnded.count() != 0 {
				t.Errorf("%d connections; they ended by %v at the client, %v at the server", p.opened.count(), p.clientEnded.list, p.srvEnded.list)
			}
			if up == 0 || down == 0 {
				t.Errorf("%d bytes up, %d down", up, down)
			}
			rate := func(n int64) string { return fmt.Sprintf("%.0f KB/s", float64(n)/lasts.Seconds()/1000) }
			w.mu.Lock()
			lost, carried := w.lost[toServer]+w.lost[toClient], w.carried[toServer]+w.carried[toClient]
			w.mu.Unlock()
			n := float64(lost + carried)
			within := 0.02 + 4*math.Sqrt(0.05*0.95/n) // a slow machine has few packets
			if math.Abs(float64(lost)/n-0.05) > within {
				t.Errorf("%d of %d packets were lost", lost, lost+carried)
			}
			row(t, "100 ms each way, 5 % lost, 10 % overtaken", shell.name, rate(up), rate(down), fmt.Sprintf("%d and %d messages of 4 KiB, in order; %d packets of %d lost",
				p.srvHeard.count(), p.clientHeard.count(), lost, lost+carried))
		})
	}
}

// Messages of 1 MiB pass where packets have 576 bytes, in both directions at once, compressed
// or not.
func TestSmallPackets(t *testing.T) {
	for _, shell := range shells {
		for _, deflate := range []*handshake.DeflateOptions{nil, {}} {
			name := shell.name
			if deflate != nil {
				name += ", compressed"
			}
			t.Run(name, func(t *testing.T) {
				long(t)
				w := newWorld(t, 576, conditions{delay: 5 * time.Millisecond})
				took := exchange(t, w, shell.loop(), deflate, 5)
				w.mu.Lock()
				packets := w.carried
				w.mu.Unlock()
				row(t, "576 bytes a packet", name, fmt.Sprintf("5 messages of 1 MiB each way at once in %s, %d and %d packets", seconds(took), packets[toServer], packets[toClient]))
			})
		}
	}
}

// exchange sends n messages of 1 MiB in each direction at once, and returns how long they took.
func exchange(t *testing.T, w *world, loop *conn.Loop, deflate *handshake.DeflateOptions, n int) time.Duration {
	t.Helper()
	message := make([]byte, 1<<20)
	words := []string{"ether", "link", "packet", "reset", "window", "frame", "peer", "ping"}
	chance := rand.New(rand.NewPCG(1, 2))
	for b := message; len(b) > 0; {
		b = b[copy(b, words[chance.IntN(len(words))]+" "):]
	}
	ended := make(chan error, 2)
	w.serve(t, &conn.Server{
		Options: &conn.AcceptOptions{Conn: conn.Options{Loop: loop}, Handshake: handshake.Options{Deflate: deflate}},
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			go func() { write(ctx, c, message, n) }()
			got := 0
			return func(m conn.Message) error {
				if got++; !bytes.Equal(m.Payload, message) {
					ended <- fmt.Errorf("the server got another message of %d bytes", len(m.Payload))
				} else if got == n {
					ended <- nil
				}
				return nil
			}
		},
	})
	c, _, err := conn.Dial(t.Context(), "ws://"+serverAddress+"/", &conn.DialOptions{
		Handshake: handshake.DialOptions{HTTPClient: w.web(), Deflate: deflate},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow(); <-c.Done() })
	began := time.Now()
	go func() { write(t.Context(), c, message, n) }()
	go func() {
		for range n {
			_, got, err := c.Read(t.Context())
			if err == nil && !bytes.Equal(got, message) {
				err = fmt.Errorf("the client got another message of %d bytes", len(got))
			}
			if err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for range 2 {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("not within 2 minutes")
		}
	}
	return time.Since(began)
}

func write(ctx context.Context, c *conn.Conn, message []byte, n int) {
	for range n {
		if c.Write(ctx, conn.Binary, message) != nil {
			return
		}
	}
}
