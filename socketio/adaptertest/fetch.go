package adaptertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parleyws/parley/socketio"
)

// testFetch asks for sockets: all nodes describe their own in the same way.
func testFetch(c *cluster) {
	c.standard()
	for i, cl := range c.clients {
		cl.socket.Set("number", i)
		cl.socket.Set("text", "ä€🎈\x00 "+cl.name)
		cl.socket.Set("deep", map[string]any{"list": []any{1.5, nil, true, map[string]any{"a": ""}}})
		cl.socket.Set("octets", []any{[]byte{0, 255, 1}, map[string]any{"b": []byte("x")}})
	}
	c.client("b0").socket.Set("much", strings.Repeat("x", 200_000))
	a1, b2 := c.client("a1").id, c.client("b2").id
	for _, n := range c.nodes {
		for name, row := range map[string]struct {
			to   socketio.Emitter
			gets func(*client) bool
		}{
			"all":           {n.io.Compress(true), everybody},
			"a room":        {n.io.In("A"), in("A")},
			"two rooms":     {n.io.In("A", "AB"), in("AB")},
			"all but":       {n.io.Except("A"), in("B")},
			"a socket":      {n.io.In(a1), in(a1)},
			"sockets":       {n.io.In(a1, b2).Except("A"), in(b2)},
			"an empty room": {n.io.In("nobody"), in("nobody")},
			"this node":     {n.io.Local(), func(cl *client) bool { return cl.node == n }},
		} {
			c.wantFetched(n.name+" fetches "+name, row.to, row.gets)
		}
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	done := c.inBackground(func() {
		if list, err := c.nodes[0].io.FetchSockets(ctx); !isEnd(err) || len(list) > len(c.clients) {
			c.Errorf("FetchSockets with a ctx that has ended: %d sockets, %v", len(list), err)
		}
	})
	c.receive(done, "the end of FetchSockets with a ctx that has ended")
}

// wantFetched compares what FetchSockets returns with what each node says of its own.
func (c *cluster) wantFetched(what string, to socketio.Emitter, gets func(*client) bool) {
	c.Helper()
	ctx, cancel := c.ctx()
	defer cancel()
	list, err := to.FetchSockets(ctx)
	if err != nil {
		c.Errorf("%s: %v", what, err)
	}
	got := make(map[string]string)
	for _, s := range list {
		if _, twice := got[s.ID]; twice {
			c.Errorf("%s: %s comes twice", what, s.ID)
		}
		got[s.ID] = describe(s)
	}
	want := make(map[string]string)
	for _, cl := range c.clients {
		if gets(cl) {
			own, err := cl.node.io.Local().To(cl.id).FetchSockets(ctx)
			if err != nil || len(own) != 1 {
				c.Fatalf("%s: %s has %d sockets with the id of its own, %v", what, cl.node.name, len(own), err)
			}
			want[cl.id] = describe(own[0])
		}
	}
	if !maps.Equal(got, want) {
		for _, cl := range c.clients {
			if got, want := got[cl.id], want[cl.id]; got != want {
				c.Errorf("%s: %s is\n  %.3000s\nwant\n  %.3000s", what, cl.name, got, want)
			}
		}
	}
}

// describe writes what there is to know of a socket.
func describe(s socketio.RemoteSocket) string {
	handshake, err := json.Marshal(s.Handshake)
	if err != nil {
		return err.Error()
	}
	data := make(map[string]any)
	maps.Copy(data, s.Data)
	rooms := slices.Sorted(slices.Values(s.Rooms))
	return fmt.Sprintf("%s in %q, data %s, handshake %s", s.ID, rooms, appendValue(nil, data), handshake)
}

// testFetchMuch asks for many sockets with much data, many times at once.
func testFetchMuch(c *cluster) {
	c.start(2)
	const sockets = 30
	for i := range sockets {
		cl := c.nodes[i%2].dial(fmt.Sprint("client ", i), "/", "room", fmt.Sprint("third ", i%3))
		cl.socket.Set("much", strings.Repeat(string(rune('a'+i)), 20_000))
	}
	var done []chan struct{}
	for i := range 10 {
		done = append(done, c.inBackground(func() {
			third := fmt.Sprint("third ", i%3)
			c.wantFetched("many at once: "+third, c.nodes[i%2].io.In(third), in(third))
		}))
	}
	for _, d := range done {
		c.receive(d, "FetchSockets")
	}
}
