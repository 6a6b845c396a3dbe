package interop

import (
	"log/slog"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/adapters/redisstreams"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// A row is an adapter of Node and what speaks with it here.
type row struct {
	name   string
	node   string // of interop/js/cluster.mjs
	broker func(c redis.UniversalClient, prefix string) (broker, error)
	rooms  bool // it can say which rooms there are
	// cluster says that Redis is a cluster. Node's client for that publishes each message of
	// channels that are no shard channels on any of the servers, so they come in any order;
	// and an error of it ends the process when a server closes.
	cluster bool
}

var quiet = slog.New(slog.DiscardHandler)

var rows = []row{
	{name: "classic", node: "classic", broker: classic(redisadapter.Options{}), rooms: true},
	{name: "classic, by pattern", node: "classic", broker: classic(redisadapter.Options{Pattern: true}), rooms: true},
	{name: "classic, specific responses", node: "classic-specific", broker: classic(redisadapter.Options{SpecificResponses: true}), rooms: true},
	{name: "sharded, static", node: "sharded-static", broker: sharded(redisadapter.Static)},
	{name: "sharded, dynamic", node: "sharded-dynamic", broker: sharded(redisadapter.Dynamic)},
	{name: "sharded, dynamic-private", node: "sharded-dynamic-private", broker: sharded(redisadapter.DynamicPrivate)},
	{name: "streams", node: "streams", broker: streams},
}

func classic(o redisadapter.Options) func(redis.UniversalClient, string) (broker, error) {
	return func(c redis.UniversalClient, prefix string) (broker, error) {
		o := o
		o.Prefix, o.Logger = prefix, quiet
		return redisadapter.New(c, &o)
	}
}

func sharded(mode redisadapter.SubscriptionMode) func(redis.UniversalClient, string) (broker, error) {
	return func(c redis.UniversalClient, prefix string) (broker, error) {
		return redisadapter.NewSharded(c, &redisadapter.ShardedOptions{Prefix: prefix, Mode: mode, Logger: quiet})
	}
}

func streams(c redis.UniversalClient, prefix string) (broker, error) {
	return redisstreams.New(c, &redisstreams.Options{StreamName: prefix, ChannelPrefix: prefix, Logger: quiet})
}

// connect returns a client of a Redis server, or of a Redis cluster.
func connect(t testing.TB, addrs []string) redis.UniversalClient {
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs})
	t.Cleanup(func() { c.Close() })
	return c
}

// Nodes of ours and of Node are one cluster, with each adapter.
func TestMixed(t *testing.T) {
	needNode(t)
	addrs := []string{brokertest.Redis(t).Addr()}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { mixed(t, r, addrs) })
	}
}

// The same on a Redis cluster.
func TestMixedOnCluster(t *testing.T) {
	needNode(t)
	addrs := brokertest.RedisCluster(t).Addrs()
	for _, r := range rows {
		switch r.name {
		case "classic", "sharded, dynamic", "streams":
			r.cluster = true
			t.Run(r.name, func(t *testing.T) { mixed(t, r, addrs) })
		}
	}
}

func mixed(t *testing.T, r row, addrs []string) {
	c := start(t, r, addrs)
	for _, test := range []struct {
		name string
		run  func(c *cluster, r row)
	}{
		{"targets", testTargets},
		{"values", testValues},
		{"order", testOrder},
		{"calls", testCalls},
		{"unanswered", testUnanswered},
		{"fetch", testFetch},
		{"servers", testServers},
		{"rooms", testRooms},
		{"namespaces", testNamespaces},
		{"join and leave", testJoin},
		{"disconnect", testDisconnect},
		{"nodes", testNodes},
	} {
		t.Run(test.name, func(t *testing.T) {
			of := *c
			of.T = t
			test.run(&of, r)
			c.nodes, c.clients, c.rounds = of.nodes, of.clients, of.rounds
			for _, cl := range c.clients {
				cl.take()
			}
		})
	}
}
