package embedded_test

import (
	"context"
	"testing"

	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/socketio/adaptertest"
)

// The suite that any adapter has to pass, on nodes that know the first one.
func TestSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Suite{
		NoRooms: true, LateRooms: true,
		Cluster: func(t *testing.T) func() adaptertest.Factory {
			var peers []string
			return func() adaptertest.Factory {
				c, err := embedded.Start(t.Context(), &embedded.Options{Peers: peers, Adapter: natsadapter.Options{Logger: quiet(), QueueBytes: 256 << 20}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close(context.Background()) })
				if peers == nil {
					peers = []string{c.Addr().String()}
				}
				if err := c.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				return c.Adapter
			}
		},
	})
}
