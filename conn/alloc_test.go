package conn_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
)

// Neither a message that fits a buffer, small or large, nor its echo allocates, at either
// end, with a ctx that can't end as with one that can and is used again and
// again.
func TestAllocations(t *testing.T) {
	if conn.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	cancellable, cancel := context.WithCancel(t.Context())
	defer cancel()
	contexts := map[string]context.Context{"Background": context.Background(), "ctx": cancellable}
	for _, size := range []int{100, 10_000} {
		testAllocations(t, contexts, make([]byte, size))
	}
}

// testAllocations is TestAllocations for messages of one length.
func testAllocations(t *testing.T, contexts map[string]context.Context, payload []byte) {
	prepared := conn.NewPrepared(conn.Binary, payload)
	writes := map[string]func(*conn.Conn, context.Context) error{
		"Write":         func(c *conn.Conn, ctx context.Context) error { return c.Write(ctx, conn.Binary, payload) },
		"WritePrepared": func(c *conn.Conn, ctx context.Context) error { return c.WritePrepared(ctx, prepared) },
		"Send":          func(c *conn.Conn, _ context.Context) error { return c.Send(prepared) },
	}
	for ctxName, ctx := range contexts {
		for name, write := range writes {
			t.Run(fmt.Sprint(name, " of ", len(payload), ", ", ctxName), func(t *testing.T) {
				server, client := stream{"TCP", tcpPair}.conns(t, nil)
				defer within(t, time.Minute, server)()
				came := make(chan struct{}, 1)
				go client.Each(ctx, func(m conn.Message) error {
					came <- struct{}{}
					return client.Write(ctx, m.Type, m.Payload)
				})
				go server.Each(ctx, func(conn.Message) error {
					came <- struct{}{}
					return nil
				})
				allocs := testing.AllocsPerRun(1000, func() {
					if err := write(server, ctx); err != nil {
						t.Error(err)
					}
					<-came // there
					<-came // and back
				})
				if allocs != 0 {
					t.Errorf("%v allocations, want none", allocs)
				}
			})
		}
	}
}
