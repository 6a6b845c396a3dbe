package embedded_test

import (
	"context"
	"testing"

	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/socketio/adaptertest"
)

// The adapter does what an adapter must do.
func TestSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Suite{
		Cluster: func(t *testing.T) func() adaptertest.Factory {
			var peers []string
			return func() adaptertest.Factory {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				o := embedded.Options{Peers: peers}
				o.Adapter.Logger = quiet()
				c, err := embedded.Start(ctx, &o)
				if err != nil {
					t.Fatal(err)
				}
				peers = append(peers, c.Addr().String())
				t.Cleanup(func() {
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					if err := c.Close(ctx); err != nil {
						t.Error("Close:", err)
					}
				})
				return c.Adapter
			}
		},
		NoRooms: true,
	})
}
