package main

import (
	"context"
	"errors"
	"log/slog"

	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/adapters/nats/embedded"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/adapters/redisstreams"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A link connects a node with the others. All adapters have these methods.
type link interface {
	Adapter(*socketio.Local) (socketio.Adapter, error)
	Ready(context.Context) error
	Close(context.Context) error
}

// A way is how nodes are connected: by what the flag of its name says where it is.
type way struct {
	flag, usage string
	// connect connects one node. earlier are the links of the nodes before it.
	connect func(ctx context.Context, at string, earlier []link, log *slog.Logger) (link, error)
}

// ways are all that go by a broker.
var ways = []way{
	{"redis", "connect the nodes by pub/sub of the Redis at this `host:port`, as Node's @socket.io/redis-adapter", overRedis},
	{"redis-streams", "connect the nodes by streams of the Redis at this `host:port`, as Node's @socket.io/redis-streams-adapter", overStreams},
	{"nats", "connect the nodes over the NATS server at this `url`", overNATS},
}

func overRedis(_ context.Context, addr string, _ []link, log *slog.Logger) (link, error) {
	client := redis.NewClient(&redis.Options{Addr: addr})
	l, err := redisadapter.New(client, &redisadapter.Options{Logger: log})
	return ofClient(client, l, err)
}

func overStreams(_ context.Context, addr string, _ []link, log *slog.Logger) (link, error) {
	client := redis.NewClient(&redis.Options{Addr: addr})
	l, err := redisstreams.New(client, &redisstreams.Options{Logger: log})
	return ofClient(client, l, err)
}

// A redisLink is a link with the client that it uses.
type redisLink struct {
	link
	client *redis.Client
}

func ofClient(client *redis.Client, l link, err error) (link, error) {
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return redisLink{l, client}, nil
}

// Close closes the client too.
func (r redisLink) Close(ctx context.Context) error {
	return errors.Join(r.link.Close(ctx), r.client.Close())
}

func overNATS(_ context.Context, url string, _ []link, log *slog.Logger) (link, error) {
	return natsadapter.New(url, &natsadapter.Options{Logger: log})
}

// byThemselves is the way without a broker: each node has a NATS server of its own.
var byThemselves = way{connect: func(ctx context.Context, _ string, earlier []link, log *slog.Logger) (link, error) {
	o := &embedded.Options{Adapter: natsadapter.Options{Logger: log}}
	for _, l := range earlier {
		o.Peers = append(o.Peers, l.(*embedded.Cluster).Addr().String())
	}
	return embedded.Start(ctx, o)
}}

// choose returns the way that the flags say, and where.
func choose(given map[string]*string) (w way, at string, err error) {
	w = byThemselves
	for _, other := range ways {
		if value := *given[other.flag]; value != "" {
			if at != "" {
				return w, "", errWays
			}
			w, at = other, value
		}
	}
	return w, at, nil
}
