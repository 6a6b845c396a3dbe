package redisadapter_test

import (
	"context"
	"net"
	"testing"

	"github.com/parleyws/parley/adapters/internal/faulttest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Wherever a conversation with Redis is cut, each form of the adapter goes on.
func TestCut(t *testing.T) {
	logging.Disable() // of go-redis, which tells of each connection that it does not get
	for name, broker := range map[string]maker{
		"classic":             classic(redisadapter.Options{}),
		"classic, by pattern": classic(redisadapter.Options{Pattern: true, SpecificResponses: true}),
		"sharded":             sharded(redisadapter.ShardedOptions{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.RunCuts(t, faulttest.Cuts{Node: func(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) (faulttest.Node, func()) {
				client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", Dialer: dial})
				return faultNode(t, broker, client), func() { client.Close() }
			}})
		})
	}
}
