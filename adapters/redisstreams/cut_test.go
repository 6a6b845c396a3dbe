package redisstreams

import (
	"context"
	"net"
	"testing"

	"github.com/parleyws/parley/adapters/internal/faulttest"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Wherever a conversation with Redis is cut, the adapter goes on.
func TestCut(t *testing.T) {
	logging.Disable() // of go-redis, which tells of each connection that it does not get
	for name, c := range map[string]struct {
		o        Options
		recovery bool
	}{
		"without recovery": {},
		"recovery":         {recovery: true},
		"killed servers":   {Options{SurviveKill: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.RunCuts(t, faulttest.Cuts{Keeps: true, Recovery: c.recovery, Node: func(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) (faulttest.Node, func()) {
				client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", Dialer: dial})
				return streamsNode(t, client, c.o), func() { client.Close() }
			}})
		})
	}
}
