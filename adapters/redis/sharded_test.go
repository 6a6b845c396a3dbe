package redisadapter_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/redis/go-redis/v9"
)

var shardedModes = map[string]redisadapter.ShardedOptions{
	"dynamic":         {},
	"dynamic-private": {Mode: redisadapter.DynamicPrivate, Prefix: "other"},
	"static":          {Mode: redisadapter.Static},
}

// Two nodes are one for those who use them, by shard channels too.
func TestShardedTwoNodes(t *testing.T) {
	addr := brokertest.Redis(t).Addr()
	for name, o := range shardedModes {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, addr)
			a, b := newShardedNode(t, client, o), newShardedNode(t, client, o)
			x, y := a.join("/", "blue", "7"), b.join("/", "blue", "red", "a#b")
			testBroadcasts(t, a, x, y)
			testRequests(t, a, b, x, y)
			for _, n := range []*node{a, b} {
				if s := n.broker.Stats(); s.Dropped+s.Refused+s.Gaps != 0 || s.Published == 0 || s.Received == 0 {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// channels returns the shard channels that somebody has subscribed to, without probes.
func channels(t testing.TB, s *brokertest.Server) (list []string) {
	t.Helper()
	got, err := s.Do("PUBSUB", "SHARDCHANNELS")
	check(t, err)
	for _, c := range got.([]any) {
		if c := c.(string); !strings.Contains(c, "-probe#") {
			list = append(list, c)
		}
	}
	slices.Sort(list)
	return list
}

// Channels and messages are those of Node: rooms have a channel while they have a member.
func TestShardedChannels(t *testing.T) {
	for name, o := range shardedModes {
		t.Run(name, func(t *testing.T) {
			server := brokertest.Redis(t)
			client := newClient(t, server.Addr())
			o.Prefix = ""
			a := newShardedNode(t, client, o)
			x := a.join("/", "blue")
			y := a.join("/", "blue", "red")
			sub := client.SSubscribe(t.Context(), "socket.io#/#", "socket.io#/#blue#")
			defer sub.Close()
			for range 2 {
				if _, err := sub.Receive(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"socket.io#/#", "socket.io#/#UID#", "socket.io#/#blue#"}
			switch o.Mode {
			case redisadapter.Dynamic:
				want = append(want, "socket.io#/#red#")
			case redisadapter.DynamicPrivate:
				want = append(want, "socket.io#/#red#", "socket.io#/#"+x.id+"#", "socket.io#/#"+y.id+"#")
			}
			slices.Sort(want)
			var got []string
			for _, c := range channels(t, server) {
				if parts := strings.Split(c, "#"); len(parts[2]) == 16 {
					c = "socket.io#/#UID#"
				}
				got = append(got, c)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("subscribed to %q, want %q", got, want)
			}

			check(t, a.io.To("blue").Except("red").Emit("receive-message", "hi ü€😀"))
			check(t, a.io.To("blue", "red").Volatile().Emit("both", 1))
			m := receive(t, sub)
			channel := "socket.io#/#blue#"
			if o.Mode == redisadapter.Static {
				channel = "socket.io#/#"
			}
			text := `{"type":3,"data":{"packet":{"type":2,"data":["receive-message","hi ü€😀"]},"opts":{"rooms":["blue"],"except":["red"],"flags":{}}},"uid":"UID","nsp":"/"}`
			if m.Channel != channel || withoutUID(t, m.Payload) != text {
				t.Errorf("%s %s", m.Channel, m.Payload)
			}
			text = `{"type":3,"data":{"packet":{"type":2,"data":["both",1]},"opts":{"rooms":["blue","red"],"except":[],"flags":{"volatile":true}}},"uid":"UID","nsp":"/"}`
			if m := receive(t, sub); m.Channel != "socket.io#/#" || withoutUID(t, m.Payload) != text {
				t.Errorf("%s %s", m.Channel, m.Payload)
			}

			x.c.Close()
			y.c.Close()
			within := within(t, patience)
			for len(channels(t, server)) != 3 { // those of the namespace, and sub's
				if within.Err() != nil {
					t.Fatalf("still subscribed: %q", channels(t, server))
				}
			}
		})
	}
}

func receive(t testing.TB, sub *redis.PubSub) *redis.Message {
	t.Helper()
	m, err := sub.ReceiveMessage(within(t, patience))
	check(t, err)
	return m
}

// withoutUID returns a message in which the uid is UID.
func withoutUID(t testing.TB, text string) string {
	t.Helper()
	var m struct{ UID string }
	check(t, json.Unmarshal([]byte(text), &m))
	if len(m.UID) != 16 {
		t.Errorf("uid %q", m.UID)
	}
	return strings.Replace(text, m.UID, "UID", 1)
}

// What Node sends on a channel is delivered; what is no message is counted.
func TestShardedMessagesOfNode(t *testing.T) {
	server := brokertest.Redis(t)
	a := newShardedNode(t, newClient(t, server.Addr()), redisadapter.ShardedOptions{})
	x := a.join("/", "blue", "123")
	for _, m := range [][2]string{
		{"socket.io#/#blue#", `{"type":3,"data":{"packet":{"type":2,"data":["receive-message","hi ü€😀"]},"opts":{"rooms":["blue"],"except":["rl7qzxkrbFNMCdjZAAAA"],"flags":{}}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`},
		{"socket.io#/#123#", `{"type":3,"data":{"packet":{"type":2,"data":["numroom"]},"opts":{"rooms":[123],"except":[],"flags":{}}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`},
		{"socket.io#/#blue#", `{"type":3,"data":{"packet":{"type":2,"data":["x"]},"opts":{}},"uid":"1eaa5cfe22e359f4","nsp":"/other"}`},
		{"socket.io#/#blue#", `{"type":3`},
		{"socket.io#/#", "\xc1"},
		{"socket.io#/#", `{"type":3,"data":{"packet":{"type":2,"data":["disconnect"]},"opts":{}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`},
		{"socket.io#/#", `{"type":3,"data":{"packet":{"type":2,"data":["end"]},"opts":{"rooms":[],"except":[],"flags":{}}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`},
	} {
		if n, err := server.Do("SPUBLISH", m[0], m[1]); err != nil || n != int64(1) {
			t.Fatalf("%s: %v, %v", m[0], n, err)
		}
	}
	x.want(`receive-message "hi ü€😀"`, "numroom", "end")
	if s := a.broker.Stats(); s.Refused != 3 || s.Gaps != 0 {
		t.Errorf("%+v", s)
	}
}
