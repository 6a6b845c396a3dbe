// Package redisadapter connects Socket.IO servers by Redis, as the npm package
// @socket.io/redis-adapter does, version 8, with the same messages on the same channels:
// servers in Go and in Node share rooms, and @socket.io/redis-emitter reaches both.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
//	broker, err := redisadapter.New(client, nil)
//	...
//	io, err := socketio.NewServer(&socketio.Options{Adapter: broker.Adapter})
//
// NewSharded is for those who use createShardedAdapter of the npm package: shard channels
// spread the load over the servers of a Redis cluster.
//
// # What is guaranteed
//
// A server delivers to its own sockets at once, whether or not Redis is there. Other
// nodes get what it sends at most once, and in the order in which it was sent:
// broadcasts, joins and all else of a server travel on one connection. While Redis is
// away or slow they wait, up to Options.QueueBytes; what comes then is dropped. Of what was
// under way when a connection ended nobody knows whether it has arrived: it is not sent
// again, and counted as dropped. A subscription comes back by itself, but Redis keeps
// nothing for those who are away: Stats.Gaps counts how often that was so.
//
// Requests to other nodes, such as FetchSockets, wait for as many answers as there are
// other nodes. A node that dies in between is missed until the time is up; what has
// come is returned with the error.
package redisadapter
