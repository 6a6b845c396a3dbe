package redisadapter

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"

	"github.com/parleyws/parley/socketio"
)

// An intake takes what the subscriber reads, on its goroutine.
type intake struct {
	socketio.Batch
	b *Broker
	d decoder
}

// Message implements redislink.Handler.
func (in *intake) Message(pattern, channel, payload []byte) {
	b := in.b
	prefix := b.o.Prefix
	rest, ok := bytes.CutPrefix(channel, []byte(prefix))
	if !ok {
		return
	}
	switch {
	case len(pattern) > 0:
		b.mu.RLock()
		n := b.patterns[string(pattern)]
		b.mu.RUnlock()
		if n != nil && len(channel) >= len(n.channel) {
			in.broadcast(n, channel, channel[len(n.channel):], payload)
		}
	case len(rest) > 0 && rest[0] == '#':
		in.split(channel, rest[1:], payload)
	default:
		if name, ok := bytes.CutPrefix(rest, []byte("-request#")); ok {
			if n := b.space(bytes.TrimSuffix(name, []byte("#"))); n != nil {
				in.judge(n, channel, in.request(n, payload))
			}
		} else if name, ok := bytes.CutPrefix(rest, []byte("-response#")); ok {
			in.response(channel, name, payload)
		}
	}
}

func (b *Broker) space(name []byte) *namespace {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.spaces[string(name)]
}

// split finds the namespace in the name of a channel, and the room after it, if there is
// one. Both may hold a #, so that there may be more than one way to read the name; what is
// meant the message says.
func (in *intake) split(channel, name, payload []byte) {
	for i, c := range name {
		if c != '#' {
			continue
		}
		if n := in.b.space(name[:i]); n != nil {
			in.broadcast(n, channel, name[i+1:], payload)
		}
	}
}

// response hands an answer to the namespace that is named: name is that and #, and for
// an answer to one node its uid and # after that.
func (in *intake) response(channel, name, payload []byte) {
	if len(name) == 0 {
		return
	}
	name = name[:len(name)-1]
	n := in.b.space(name)
	if n == nil {
		i := bytes.LastIndexByte(name, '#')
		if i < 0 {
			return
		}
		if n = in.b.space(name[:i]); n == nil || string(name[i+1:]) != n.uid {
			return
		}
	}
	in.judge(n, channel, in.answer(n, payload))
}

// broadcast delivers a broadcast. room is the end of the channel's name: a room and #, or
// nothing.
func (in *intake) broadcast(n *namespace, channel, room, payload []byte) {
	if len(room) > 0 {
		// Look first: decoding what nobody here wants is what costs most.
		if room = room[:len(room)-1]; !n.local.HasRoom(in.d.text(room)) {
			return
		}
	}
	m, err := in.d.broadcast(payload, n.uid)
	if err == nil && string(m.uid) == n.uid {
		return
	}
	if err == nil && !n.addressed(&m.target) {
		in.b.received.Add(1)
		return
	}
	if err == nil {
		err = in.deliver(n, &m)
	}
	if err == errNamespace { // of a namespace with a # in its name
		return
	}
	in.judge(n, channel, err)
}

// addressed reports whether there may be sockets of this node that t addresses.
func (n *namespace) addressed(t *socketio.Target) bool {
	if len(t.Rooms) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Rooms, n.local.HasRoom)
}

func (in *intake) deliver(n *namespace, m *message) error {
	event, err := in.d.event(m, n.local.Name())
	if err != nil || !n.users.Enter() {
		return err
	}
	defer n.users.Leave()
	return in.Broadcast(n.local, m.target, event)
}

// judge counts a message, and says once for each connection why one was refused.
func (in *intake) judge(n *namespace, channel []byte, err error) {
	b := in.b
	if err == errOwn {
		return
	}
	b.received.Add(1)
	if err == nil {
		return
	}
	b.refused.Add(1)
	if b.told.CompareAndSwap(false, true) {
		b.o.Logger.Warn("socket.io: a message of another node is refused", "namespace", n.local.Name(),
			"channel", strings.ToValidUTF8(string(channel[:min(len(channel), 200)]), "?"), "error", err)
	}
}

// Lost implements redislink.Handler.
func (in *intake) Lost() {
	in.b.gaps.Add(1)
	in.b.told.Store(false)
}

// Refused implements redislink.Handler.
func (in *intake) Refused(channel []byte, size int) {
	b := in.b
	b.received.Add(1)
	b.refused.Add(1)
	if b.told.CompareAndSwap(false, true) {
		b.o.Logger.Warn("socket.io: a message of another node is larger than MaxMessage",
			"channel", strings.ToValidUTF8(string(channel[:min(len(channel), 200)]), "?"), slog.Int("bytes", size))
	}
}
