package redisstreams

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio/adaptertest"
	"github.com/redis/go-redis/v9"
)

// The adapter does what an adapter must do, on one Redis and on a cluster of them.
func TestSuite(t *testing.T) {
	t.Run("one Redis", func(t *testing.T) {
		addr := brokertest.Redis(t).Addr()
		runSuite(t, func(t *testing.T) redis.UniversalClient { return connect(t, addr) }, Options{})
	})
	t.Run("a cluster", func(t *testing.T) {
		addrs := brokertest.RedisCluster(t).Addrs()
		runSuite(t, func(t *testing.T) redis.UniversalClient {
			c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
			t.Cleanup(func() { c.Close() })
			return c
		}, Options{})
	})
}

func runSuite(t *testing.T, connect func(t *testing.T) redis.UniversalClient, o Options) {
	adaptertest.Run(t, adaptertest.Suite{
		Cluster: func(t *testing.T) func() adaptertest.Factory {
			client, name := connect(t), rand.Text()
			return func() adaptertest.Factory {
				o := o
				o.StreamName, o.ChannelPrefix, o.Logger = name, name, quiet
				s, err := New(client, &o)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					defer cancel()
					if err := s.Close(ctx); err != nil {
						t.Error("Close:", err)
					}
					if s := s.Stats(); s.Dropped+s.Refused+s.Gaps > 0 {
						t.Errorf("%+v", s)
					}
				})
				return s.Adapter
			}
		},
		NoRooms: true,
	})
}
