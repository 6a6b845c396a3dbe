package natsadapter_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio/adaptertest"
)

// The suite that any adapter has to pass, on three nodes and a NATS server.
func TestSuite(t *testing.T) {
	s := serve(t, func(o *server.Options) { o.MaxPayload = 64 << 20 })
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint("SocketRooms=", on), func(t *testing.T) {
			if on && testing.Short() {
				t.Skip("it is nearly the same")
			}
			var clusters atomic.Int64
			adaptertest.Run(t, adaptertest.Suite{
				NoRooms: true, LateRooms: true,
				Cluster: func(t *testing.T) func() adaptertest.Factory {
					o := &natsadapter.Options{Prefix: fmt.Sprint("c", clusters.Add(1)), Logger: quiet(), SocketRooms: on, QueueBytes: 256 << 20}
					return func() adaptertest.Factory {
						c, err := natsadapter.New(s.ClientURL(), o)
						if err != nil {
							t.Fatal(err)
						}
						t.Cleanup(func() { check(t, c.Close(context.Background())) })
						return c.Adapter
					}
				},
			})
		})
	}
}
