package conn_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// Whatever 64 goroutines do to the two ends of a connection at the same time,
// nothing panics, nothing hangs, nothing races, and every call comes back.
func TestChaos(t *testing.T) {
	o := limits(conn.Limits{CloseTimeout: 100 * time.Millisecond}) // often nobody is left to answer
	for _, deflate := range []*handshake.Deflate{nil, deflate, {ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}} {
		allStreams(t, func(t *testing.T, s stream) {
			for round := range 3 {
				a, b := s.make(t)
				server := must(conn.New(&handshake.Result{Conn: a, Deflate: deflate}, conn.RoleServer, o))
				client := must(conn.New(&handshake.Result{Conn: b, Deflate: deflate}, conn.RoleClient, o))
				stop := within(t, time.Minute, server)
				var calls sync.WaitGroup
				for i := range 64 {
					c := server
					if i%2 == 0 {
						c = client
					}
					calls.Go(func() { chaos(c, rand.New(rand.NewPCG(uint64(round), uint64(i)))) })
				}
				calls.Wait()
				server.CloseNow()
				client.CloseNow()
				if !stop() {
					return
				}
			}
		})
	}
}

// chaos calls this and that until the connection is over.
func chaos(c *conn.Conn, rnd *rand.Rand) {
	payload := make([]byte, 200_000)
	prepared := conn.NewPrepared(conn.Text, payload[:rnd.IntN(3000)])
	for range 30 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(2000))*time.Microsecond)
		p := payload[:rnd.IntN(1<<rnd.IntN(17))]
		switch rnd.IntN(12) {
		case 0, 1:
			c.Read(ctx)
		case 2, 3:
			each(c, ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload[:len(m.Payload)/2]) })
		case 4:
			if _, r, err := c.Reader(ctx); err == nil {
				r.Read(p)
			}
		case 5, 6:
			c.Write(ctx, conn.Binary, p)
		case 7:
			c.WritePrepared(ctx, prepared)
		case 8:
			if w, err := c.Writer(ctx, conn.Binary); err == nil {
				w.Write(p)
				w.Write(p)
				w.Close()
			}
		case 9:
			c.Ping(ctx)
		case 10:
			c.Send(prepared)
		case 11:
			switch rnd.IntN(400) {
			case 0, 1:
				c.Close(frame.StatusNormalClosure, "")
			case 2:
				c.CloseNow()
			}
		}
		cancel()
	}
}
