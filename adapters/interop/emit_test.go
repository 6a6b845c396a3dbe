package interop

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// testTargets emits from each node to sockets that are chosen in every way.
func testTargets(c *cluster, _ row) {
	a1, b2 := c.clients[2].ID(), c.clients[5].ID()
	w := wants{}
	for i, n := range c.nodes {
		own := c.clients[2*i]
		for name, t := range map[string]struct {
			target
			gets func(*client) bool
		}{
			"all":           {target{}, func(*client) bool { return true }},
			"a room":        {target{Rooms: []string{"A"}}, func(cl *client) bool { return cl.in("A") }},
			"two rooms":     {target{Rooms: []string{"A", "AB"}}, func(cl *client) bool { return cl.in("AB") }},
			"twice":         {target{Rooms: []string{"A", "A"}}, func(cl *client) bool { return cl.in("A") }},
			"nobody":        {target{Rooms: []string{"nobody"}}, func(*client) bool { return false }},
			"all but":       {target{Except: []string{"A"}}, func(cl *client) bool { return cl.in("B") }},
			"room but":      {target{Rooms: []string{"AB"}, Except: []string{"B"}}, func(cl *client) bool { return cl.in("A") }},
			"a socket":      {target{Rooms: []string{a1}}, func(cl *client) bool { return cl.in(a1) }},
			"sockets":       {target{Rooms: []string{a1, b2}}, func(cl *client) bool { return cl.in(a1, b2) }},
			"but a socket":  {target{Except: []string{b2}}, func(cl *client) bool { return !cl.in(b2) }},
			"local":         {target{Local: true}, func(cl *client) bool { return cl.node == n }},
			"uncompressed":  {target{Uncompressed: true, Rooms: []string{"B"}}, func(cl *client) bool { return cl.in("B") }},
			"sender":        {target{Socket: own.ID()}, func(cl *client) bool { return cl != own }},
			"sender, room":  {target{Socket: own.ID(), Rooms: []string{"AB"}}, func(cl *client) bool { return cl != own }},
			"sender but":    {target{Socket: own.ID(), Except: []string{"B"}}, func(cl *client) bool { return cl != own && cl.in("A") }},
			"sender to one": {target{Socket: own.ID(), Rooms: []string{b2}}, func(cl *client) bool { return cl != own && cl.in(b2) }},
		} {
			c.ok(n.do(command{Do: "emit", target: t.target, Args: []any{name, i}}, nil))
			c.add(w, t.gets, name, i)
		}
	}
	c.want(w)
}

func octets(n int) []byte { return bytes.Repeat([]byte{0, 255, 128, 10}, n/4) }

// values are arguments of events, and what clients get if Node sends what JSON does not have.
// Greater integers are not among them: Node's classic adapter sends them modulo 2^64.
var values = map[string]struct{ sent, want []any }{
	"none":      {},
	"simple":    {sent: []any{nil, true, "", "ä€🎈", 0, -1, 1.5, 1e-7, int64(1<<53 - 1), int64(-1<<53 + 1), int64(1 << 31), -1 << 31}},
	"nested":    {sent: []any{map[string]any{"a": []any{1, map[string]any{"b": []any{}}}, "ключ": "\u2028"}, []any{}, map[string]any{}}},
	"octets":    {sent: []any{octets(8), []byte{}, octets(300)}},
	"in depth":  {sent: []any{map[string]any{"a": []any{octets(4), 1, map[string]any{"b": octets(8)}}}, "x", octets(70_000)}},
	"big":       {sent: []any{strings.Repeat("x", 300_000), octets(300_000)}},
	"like ours": {sent: []any{map[string]any{"_placeholder": true, "num": 0}, map[string]any{"type": "Buffer", "data": []any{1, 2}}}},
	"long":      {sent: []any{strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 256), strings.Repeat("x", 65536), make([]any, 16), make([]any, 70_000)}},
	"dates": {
		[]any{date(0), date(1_700_000_000_123), []any{date(-1)}, date(5_000_000_000_000)},
		[]any{"1970-01-01T00:00:00.000Z", "2023-11-14T22:13:20.123Z", []any{"1969-12-31T23:59:59.999Z"}, "2128-06-11T08:53:20.000Z"},
	},
	"dates and octets": {[]any{date(0), octets(4)}, []any{"1970-01-01T00:00:00.000Z", octets(4)}},
	"no numbers":       {[]any{notANum, infinity, []any{notANum, octets(4)}}, []any{nil, nil, []any{nil, octets(4)}}},
	"undefined": {
		[]any{undefined, []any{undefined, 1}, map[string]any{"b": octets(4)}},
		[]any{nil, []any{nil, 1}, map[string]any{"b": octets(4)}},
	},
}

// testValues sends values of every kind from each node. Only Node has those that JSON does not
// have.
func testValues(c *cluster, _ row) {
	w := wants{}
	for i, n := range c.nodes {
		_, inNode := n.(*process)
		for name, v := range values {
			want := v.want
			if want == nil {
				want = v.sent
			} else if !inNode {
				continue
			}
			for _, room := range []string{"A", ""} {
				t := target{}
				if room != "" {
					t.Rooms = []string{room}
				}
				c.ok(n.do(command{Do: "emit", target: t, Args: append([]any{name, i}, v.sent...)}, nil))
				c.add(w, func(cl *client) bool { return cl.in(room) }, append([]any{name, i}, want...)...)
			}
		}
	}
	c.want(w)
}

// testOrder sends numbered events from all nodes at once.
func testOrder(c *cluster, r row) {
	const messages = 500
	var all sync.WaitGroup
	for i, n := range c.nodes {
		all.Go(func() {
			for k := range messages {
				for _, room := range []string{"A", "B"} {
					var number any = k
					if k%10 == 9 {
						number = []any{k, octets(8)}
					}
					if err := n.do(command{Do: "emit", target: target{Rooms: []string{room}}, Args: []any{"n", i, room, number}}, nil); err != nil {
						c.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	c.count(func(*client) int { return messages * len(c.nodes) })
	c.settle()
	for _, cl := range c.clients {
		got := make(map[string][]string)
		for _, l := range cl.take() {
			key := l[:min(len(l), len(`["n",0,"A"`))]
			got[key] = append(got[key], l)
		}
		for i := range c.nodes {
			for _, room := range []string{"A", "B"} {
				var want []string
				for k := range messages {
					var number any = k
					if k%10 == 9 {
						number = []any{k, octets(8)}
					}
					if cl.in(room) {
						want = append(want, line("n", i, room, number))
					}
				}
				got := got[fmt.Sprintf(`["n",%d,%q`, i, room)]
				if _, inNode := c.nodes[i].(*process); inNode && r.cluster {
					slices.Sort(got)
					slices.Sort(want)
				}
				if !slices.Equal(got, want) {
					c.Errorf("%s: from node %d to %s: %d events, want %d, or in another order", cl.name, i, room, len(got), len(want))
				}
			}
		}
	}
}
