package redisstreams

import (
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/internal/faulttest"
	"github.com/redis/go-redis/v9"
)

// Whatever Redis does, the adapter goes on. One that is killed forgets its streams, so that
// both subscriptions have missed something; one that is only out of reach keeps them.
func TestBrokenBroker(t *testing.T) {
	s := faulttest.Suite{
		Broker: func(t *testing.T) faulttest.Broker { return brokertest.Redis(t) },
		Node:   func(t *testing.T, addr string) faulttest.Node { return faultNode(t, connect(t, addr)) },
	}
	s.Gaps.Kill, s.Gaps.Cut, s.Keeps = 2, 1, true
	faulttest.Run(t, s)
}

func TestFailover(t *testing.T) {
	f := brokertest.RedisFailover(t)
	node := func() faulttest.Node {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: brokertest.MasterName, SentinelAddrs: f.Addrs()})
		t.Cleanup(func() { client.Close() })
		return faultNode(t, client)
	}
	faulttest.Failover(t, f, node(), node())
}

func faultNode(t *testing.T, client redis.UniversalClient) faulttest.Node {
	return streamsNode(t, client, Options{MaxLen: 100_000})
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
