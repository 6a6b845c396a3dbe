package redislink

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Within returns what f returns, or as soon as ctx ends its cause: a command of go-redis may wait
// longer, unless its client was made with ContextTimeoutEnabled, and does not hear of a cancellation
// at all. f then goes on by itself, with nothing but what it owns.
func Within[T any](ctx context.Context, f func(ctx context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f(ctx)
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// Subscribers returns how many connections have subscribed to a channel. Each server of a cluster
// counts its own.
func Subscribers(ctx context.Context, client redis.UniversalClient, channel string) (int, error) {
	return Within(ctx, func(ctx context.Context) (int, error) {
		var sum atomic.Int64
		count := func(ctx context.Context, c *redis.Client) error {
			if end, ok := ctx.Deadline(); ok { // so that it does not hold a connection for much longer
				c = c.WithTimeout(max(time.Until(end), time.Millisecond))
			}
			counts, err := c.PubSubNumSub(ctx, channel).Result()
			sum.Add(counts[channel])
			return err
		}
		var err error
		switch c := client.(type) {
		case *redis.Client:
			err = count(ctx, c)
		case *redis.ClusterClient:
			err = c.ForEachShard(ctx, count)
		}
		return int(sum.Load()), err
	})
}
