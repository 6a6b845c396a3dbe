package redisadapter_test

import (
	"context"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/socketio/adaptertest"
	"github.com/redis/go-redis/v9"
)

// Every form of the adapter does what an adapter must do.
func TestSuite(t *testing.T) {
	one := brokertest.Redis(t).Addr()
	for name, row := range map[string]struct {
		client func(t *testing.T) redis.UniversalClient
		broker func(redis.UniversalClient) (link, error)
		late   bool
	}{
		"classic":             {single(one), classic(redisadapter.Options{}), true},
		"classic, by pattern": {single(one), classic(redisadapter.Options{Pattern: true, SpecificResponses: true}), false},
		"sharded":             {single(one), sharded(redisadapter.ShardedOptions{}), true},
		"sharded, private":    {single(one), sharded(redisadapter.ShardedOptions{Mode: redisadapter.DynamicPrivate}), true},
		"sharded, static":     {single(one), sharded(redisadapter.ShardedOptions{Mode: redisadapter.Static}), false},
	} {
		t.Run(name, func(t *testing.T) { runSuite(t, row.client, row.broker, row.late) })
	}
}

// The same on a Redis cluster.
func TestSuiteOnCluster(t *testing.T) {
	addrs := brokertest.RedisCluster(t).Addrs()
	client := func(t *testing.T) redis.UniversalClient {
		c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		t.Cleanup(func() { c.Close() })
		return c
	}
	t.Run("classic", func(t *testing.T) { runSuite(t, client, classic(redisadapter.Options{}), true) })
	t.Run("sharded", func(t *testing.T) { runSuite(t, client, sharded(redisadapter.ShardedOptions{}), true) })
}

func single(addr string) func(*testing.T) redis.UniversalClient {
	return func(t *testing.T) redis.UniversalClient { return newClient(t, addr) }
}

func classic(o redisadapter.Options) func(redis.UniversalClient) (link, error) {
	o.Logger = quiet()
	return func(c redis.UniversalClient) (link, error) { return redisadapter.New(c, &o) }
}

func sharded(o redisadapter.ShardedOptions) func(redis.UniversalClient) (link, error) {
	o.Logger = quiet()
	return func(c redis.UniversalClient) (link, error) { return redisadapter.NewSharded(c, &o) }
}

// runSuite runs the tests for adapters. Clusters follow each other on one Redis, and the
// nodes of one have ended before those of the next one begin.
func runSuite(t *testing.T, client func(*testing.T) redis.UniversalClient, broker func(redis.UniversalClient) (link, error), late bool) {
	adaptertest.Run(t, adaptertest.Suite{
		Cluster: func(t *testing.T) func() adaptertest.Factory {
			c := client(t)
			return func() adaptertest.Factory {
				b, err := broker(c)
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
		NoRooms:   false,
		LateRooms: late,
	})
}
