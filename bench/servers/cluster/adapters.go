package main

import (
	"context"

	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/adapters/nats/embedded"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/adapters/redisstreams"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A link connects the server with other nodes.
type link interface {
	Adapter(*socketio.Local) (socketio.Adapter, error)
	Ready(context.Context) error
}

// A broker is a link, how many messages it has published, and where other nodes reach it, if
// they do so without a broker.
type broker struct {
	link
	published func() int64
	peer      string
	recovery  *socketio.Recovery // nil: clients don't come back
}

// adapters connect with a broker, or with another node, at an address.
var adapters = map[string]func(ctx context.Context, address string) (broker, error){
	"classic": func(_ context.Context, address string) (broker, error) { return classic(address, false) },
	"pattern": func(_ context.Context, address string) (broker, error) { return classic(address, true) },
	"sharded": func(_ context.Context, address string) (broker, error) {
		b, err := redisadapter.NewSharded(client(address), nil)
		return broker{link: b, published: func() int64 { return b.Stats().Published }}, err
	},
	"streams": func(_ context.Context, address string) (broker, error) {
		b, err := redisstreams.New(client(address), &redisstreams.Options{MaxLen: streamLength})
		return broker{link: b, published: func() int64 { return b.Stats().Published }}, err
	},
	"nats": func(_ context.Context, address string) (broker, error) {
		b, err := natsadapter.New("nats://"+address, nil)
		return broker{link: b, published: func() int64 { return b.Stats().Published }}, err
	},
	"nats-jetstream": func(_ context.Context, address string) (broker, error) {
		b, err := natsadapter.New("nats://"+address, &natsadapter.Options{JetStream: new(natsadapter.JetStream)})
		return broker{link: b, published: func() int64 { return b.Stats().Published }, recovery: new(socketio.Recovery)}, err
	},
	"embedded": inProcess,
}

// streamLength lets a node be that many events late, as the rival's option maxLen does.
const streamLength = 200_000

func client(address string) *redis.Client { return redis.NewClient(&redis.Options{Addr: address}) }

func classic(address string, pattern bool) (broker, error) {
	b, err := redisadapter.New(client(address), &redisadapter.Options{Pattern: pattern})
	return broker{link: b, published: func() int64 { return b.Stats().Published }}, err
}

// inProcess runs the NATS server of this node in it. It dials another node unless the address
// is empty.
func inProcess(ctx context.Context, address string) (broker, error) {
	o := new(embedded.Options)
	if address != "" {
		o.Peers = []string{address}
	}
	b, err := embedded.Start(ctx, o)
	if err != nil {
		return broker{}, err
	}
	return broker{link: b, published: func() int64 { return b.Stats().Published }, peer: b.Addr().String()}, nil
}
