package conn_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// BenchmarkBlockedHandler measures over a socket how long a message takes to its
// reader that is written while a handler blocks: by the handler, for which
// nothing else is at hand, or another message, so that it is held back; or by
// another goroutine. An operation is a round with all that surrounds it.
func BenchmarkBlockedHandler(b *testing.B) {
	for _, bb := range []struct {
		name   string
		held   bool
		others bool
	}{{name: "not held"}, {name: "held", held: true}, {name: "held, others", held: true, others: true}} {
		b.Run(bb.name, func(b *testing.B) {
			server, client := tcpPair(b)
			defer client.Close()
			c := must(conn.New(&handshake.Result{Conn: server}, conn.RoleServer, nil))
			defer c.CloseNow()

			came := make(chan time.Time)
			go func() {
				var answer [3]byte
				for {
					if _, err := io.ReadFull(client, answer[:]); err != nil {
						return
					}
					came <- time.Now()
				}
			}()
			wrote, others := make(chan time.Time, 1), make(chan struct{})
			defer close(others)
			write := func() {
				wrote <- time.Now()
				c.Write(context.Background(), conn.Text, []byte("!"))
			}
			go func() {
				for range others {
					write()
				}
			}()
			took := make(chan time.Duration)
			go c.Each(context.Background(), func(m conn.Message) error {
				switch {
				case string(m.Payload) == "at hand":
					return nil
				case bb.others:
					others <- struct{}{}
				default:
					write()
				}
				at := <-came // blocks until the reader has it
				took <- at.Sub(<-wrote)
				return nil
			})

			frames := []wstest.Frame{wstest.Text("first")}
			if bb.held {
				frames = append(frames, wstest.Text("at hand"))
			}
			p := wstest.NewPeer(b, client, conn.RoleClient)
			var all []time.Duration
			for b.Loop() {
				p.Send(frames...)
				all = append(all, <-took)
			}
			slices.Sort(all)
			for name, at := range map[string]int{"p50": len(all) / 2, "p99": len(all) * 99 / 100, "max": len(all) - 1} {
				b.ReportMetric(float64(all[at].Nanoseconds())/1e3, "µs-"+name)
			}
		})
	}
}
