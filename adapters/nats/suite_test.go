package natsadapter_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio/adaptertest"
)

// The adapter does what an adapter must do.
func TestSuite(t *testing.T) {
	url := serve(t, func(o *server.Options) { o.MaxPayload = 8 << 20 }).ClientURL()
	for name, o := range map[string]natsadapter.Options{
		"as it is":                  {},
		"with subjects for sockets": {SocketRooms: true},
	} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Suite{
				Cluster: func(t *testing.T) func() adaptertest.Factory {
					prefix := rand.Text()
					return func() adaptertest.Factory {
						o := o
						o.Prefix, o.Logger = prefix, quiet()
						b, err := natsadapter.New(url, &o)
						if err != nil {
							t.Fatal(err)
						}
						t.Cleanup(func() {
							ctx, cancel := context.WithTimeout(context.Background(), patience)
							defer cancel()
							if err := b.Close(ctx); err != nil {
								t.Error("Close:", err)
							}
							if s := b.Stats(); s.Dropped+s.Refused+s.Gaps > 0 {
								t.Errorf("%+v", s)
							}
						})
						return b.Adapter
					}
				},
				NoRooms: true,
			})
		})
	}
}
