// Package redisstreams connects Socket.IO servers by a Redis stream, in the format of the
// npm package @socket.io/redis-streams-adapter 0.3: servers in Go and in Node share their
// rooms.
//
//	streams, err := redisstreams.New(redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"}), nil)
//	io, err := socketio.NewServer(&socketio.Options{Adapter: streams.Adapter})
//
// Redis may be a single server of version 5 or later, one that sentinels name, or a
// cluster.
//
// # How events travel
//
// Events without acknowledgements, joins, leaves and disconnects are entries of the
// stream. All servers read all entries, those too whose rooms have no member there: an
// event costs each server something, which a server with many others should weigh.
// Whatever is answered travels by publish and subscribe: events with acknowledgements,
// FetchSockets, ServerSideEmit and ServerSideCall.
//
// # What is guaranteed
//
// Sockets of the server itself get an event at once, whether or not Redis is there; see
// below for the exception. The others get the events of a server in the order in which
// they were emitted, and none twice. A server whose connection to Redis has failed goes on reading where it was, so
// that it loses nothing, unless the stream was trimmed or lost meanwhile: that is a gap,
// which is counted. Publish and subscribe has no memory: there each failure is a gap.
// While Redis is away, Options.QueueBytes of events wait for it; more are dropped, and
// counted. Requests that have acknowledgements are the way to know.
//
// # Clients that come back
//
// If socketio.Options.Recovery is set, a client that was away for a moment may come back
// to any server, in Go or in Node, also when its own has been shut down: it has its id,
// rooms and data again, and gets the events that it has missed. Sessions are kept under keys
// that begin with "sio:session:". Options.MaxLen bounds what a client may have missed: one
// that was away for longer connects anew, and waits 0.3 seconds for that: its session
// might be on its way. Each server keeps the events of the last Recovery.MaxAge in memory, up
// to Recovery.EventBytes in each namespace: so a herd of clients that come back at once, to a
// server that was there meanwhile, does not read what it has missed from Redis, but each client
// its own last event, of which the stream must know.
//
// With Options.SurviveKill it also comes back when its server was killed, or was cut off
// and still takes it for connected: a session has one owner, and the server that has lost
// it ends its socket. With a Redis cluster clients come back to other servers with this option
// alone, because there a session may reach Redis after its client.
//
// The offset of an event is the id of its entry, as in Node. So with Recovery sockets of the
// server itself get an event only when its entry comes back from Redis: leaving a room right
// after an event was emitted to it may be faster than the event. If Redis is away they get
// events at once, and if it is slow after a second; with Options.Immediate always at once.
// The offset of such an event also has its number on this server, so that a client that comes
// back to any server does not get it again when its entry has come. Servers in Node
// don't understand these offsets; there the client is new.
package redisstreams
