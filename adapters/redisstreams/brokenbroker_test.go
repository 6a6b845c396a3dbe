package redisstreams

import (
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/internal/faulttest"
	"github.com/redis/go-redis/v9"
)

// Whatever Redis does, the adapter goes on. One that is killed forgets its streams, so that
// both subscriptions have missed something; one that is only out of reach keeps them.
func TestBrokenBroker(t *testing.T) {
	s := faulttest.Suite{
		Broker: func(t *testing.T) faulttest.Broker { return brokertest.Redis(t) },
		Node: func(t *testing.T, addr string, wait time.Duration) faulttest.Node {
			client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: wait})
			t.Cleanup(func() { client.Close() })
			return streamsNode(t, client, Options{MaxLen: 100_000, RequestTime: wait})
		},
	}
	s.Gaps.Kill, s.Gaps.Cut, s.Keeps = 2, 1, true
	faulttest.Run(t, s)
}

func TestFailover(t *testing.T) {
	f := brokertest.RedisFailover(t)
	node := func() faulttest.Node {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: brokertest.MasterName, SentinelAddrs: f.Addrs()})
		t.Cleanup(func() { client.Close() })
		return streamsNode(t, client, Options{MaxLen: 100_000})
	}
	faulttest.Failover(t, f, node(), node())
}

func streamsNode(t *testing.T, client redis.UniversalClient, o Options) faulttest.Node {
	o.Logger = quiet
	streams, err := New(client, &o)
	if err != nil {
		t.Fatal(err)
	}
	return faulttest.Node{Adapter: streams.Adapter, Ready: streams.Ready, Close: streams.Close, Stats: func() faulttest.Stats {
		s := streams.Stats()
		return faulttest.Stats{Published: s.Published, Dropped: s.Dropped, Gaps: s.Gaps}
	}}
}
