package natsadapter_test

import (
	"context"
	"crypto/rand"
	"regexp"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio/adaptertest"
)

// The adapter does what an adapter must do.
func TestSuite(t *testing.T) {
	for name, options := range map[string]natsadapter.Options{
		"as it is":                  {},
		"with subjects for sockets": {SocketRooms: true},
		"with JetStream":            {JetStream: &natsadapter.JetStream{Bytes: 64 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			var isOffset func(string) bool
			if options.JetStream != nil {
				isOffset = regexp.MustCompile(`^[0-9a-z]{10,11}(\.[0-9a-z]+\.[0-9a-z]+)?$`).MatchString
			}
			adaptertest.Run(t, adaptertest.Suite{
				IsOffset: isOffset,
				Cluster: func(t *testing.T) func() adaptertest.Factory {
					url := serve(t, func(o *server.Options) { // with JetStream it would keep goroutines of each test
						o.MaxPayload, o.JetStream, o.StoreDir = 8<<20, options.JetStream != nil, t.TempDir()
					}).ClientURL()
					prefix := rand.Text()
					return func() adaptertest.Factory {
						o := options
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
							if s := b.Stats(); s.Dropped+s.Refused+s.Gaps+s.Unlogged > 0 {
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
