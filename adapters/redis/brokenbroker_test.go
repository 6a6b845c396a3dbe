package redisadapter_test

import (
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/internal/faulttest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/redis/go-redis/v9"
)

// Whatever Redis does, each form of the adapter goes on.
func TestBrokenBroker(t *testing.T) {
	for name, broker := range map[string]func(requestTime time.Duration) maker{
		"classic": func(d time.Duration) maker { return classic(redisadapter.Options{RequestTime: d}) },
		"sharded": func(d time.Duration) maker { return sharded(redisadapter.ShardedOptions{RequestTime: d}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := faulttest.Suite{
				Broker: func(t *testing.T) faulttest.Broker { return brokertest.Redis(t) },
				Node: func(t *testing.T, addr string, wait time.Duration) faulttest.Node {
					client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: wait})
					t.Cleanup(func() { client.Close() })
					return faultNode(t, broker(wait), client)
				},
			}
			s.Gaps.Kill, s.Gaps.Cut = 1, 1
			faulttest.Run(t, s)
		})
	}
}

func faultNode(t *testing.T, broker maker, client redis.UniversalClient) faulttest.Node {
	b, err := broker(client, "")
	if err != nil {
		t.Fatal(err)
	}
	return faulttest.Node{Adapter: b.Adapter, Ready: b.Ready, Close: b.Close, Stats: func() faulttest.Stats {
		s := b.Stats()
		return faulttest.Stats{Published: s.Published, Dropped: s.Dropped, Gaps: s.Gaps}
	}}
}

// When another server becomes the master all go there, under traffic.
func TestFailover(t *testing.T) {
	for name, broker := range map[string]maker{
		"classic": classic(redisadapter.Options{}),
		"sharded": sharded(redisadapter.ShardedOptions{}),
	} {
		t.Run(name, func(t *testing.T) {
			f := brokertest.RedisFailover(t)
			node := func() faulttest.Node {
				client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: brokertest.MasterName, SentinelAddrs: f.Addrs()})
				t.Cleanup(func() { client.Close() })
				return faultNode(t, broker, client)
			}
			faulttest.Failover(t, f, node(), node())
		})
	}
}
