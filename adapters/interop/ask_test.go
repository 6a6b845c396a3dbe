package interop

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// sorted returns the lines of values, sorted.
func sorted(list []any) (lines []string) {
	for _, v := range list {
		lines = append(lines, line(revived(v)))
	}
	slices.Sort(lines)
	return lines
}

// testCalls asks the clients of all nodes from each node.
func testCalls(c *cluster, _ row) {
	for i, n := range c.nodes {
		for name, v := range values {
			if v.want != nil || name == "long" {
				continue
			}
			for _, room := range []string{"", "A", "nobody", c.clients[5].ID()} {
				t := target{Timeout: patience.Milliseconds()}
				if room != "" {
					t.Rooms = []string{room}
				}
				var got answers
				c.ok(n.do(command{Do: "call", target: t, Args: append([]any{"question"}, v.sent...)}, &got))
				var first any
				if len(v.sent) > 0 {
					first = v.sent[0]
				}
				var want []any
				for _, cl := range c.clients {
					if cl.in(room) {
						want = append(want, map[string]any{"name": cl.name, "first": first})
					}
				}
				if got.Error != "" || !slices.Equal(sorted(got.Answers), sorted(want)) {
					c.Errorf("node %d asks %q with %s: %s, answers %.500q, want %.500q", i, room, name, got.Error, sorted(got.Answers), sorted(want))
				}
			}
		}
	}
}

// testUnanswered asks clients of which one does not answer: the others' answers come with
// an error. The time that they have is longer where it was too short.
func testUnanswered(c *cluster, _ row) {
	for i, n := range c.nodes {
		silent := c.clients[(2*i+3)%len(c.clients)] // of the next node
		silent.mu.Lock()
		silent.silent = true
		silent.mu.Unlock()
		timeout := int64(250)
		eventually(c.T, "all answers but one", time.Millisecond, func() error {
			timeout *= 2
			var got answers
			c.ok(n.do(command{Do: "call", target: target{Rooms: []string{"AB"}, Timeout: timeout}, Args: []any{"question"}}, &got))
			<-silent.asked
			if got.Error == "" {
				c.Fatalf("node %d: %s has not answered, and there is no error", i, silent.name)
			}
			if len(got.Answers) != len(c.clients)-1 {
				return fmt.Errorf("node %d gets %q", i, sorted(got.Answers))
			}
			return nil
		})
		silent.mu.Lock()
		silent.silent = false
		silent.mu.Unlock()
	}
}

// testFetch asks for sockets: each node says the same of all.
func testFetch(c *cluster, _ row) {
	for _, cl := range c.clients {
		var data any = map[string]any{"text": "ä€", "list": []any{1, nil, 1.5, cl.name}}
		for name, v := range map[string]any{"data": data, "octets": []any{octets(4)}} {
			if err := call(cl, "set", name, v); err != nil {
				c.Fatal(err)
			}
		}
	}
	// What a node says of its own sockets is what all should say.
	want := make(map[string]string)
	for i, n := range c.nodes {
		var own []remote
		c.ok(n.do(command{Do: "fetch", target: target{Local: true}}, &own))
		if len(own) != 2 {
			c.Fatalf("node %d has %d sockets", i, len(own))
		}
		for _, r := range own {
			want[r.ID] = r.String()
		}
	}
	for i, n := range c.nodes {
		for _, room := range []string{"", "A", "nobody", c.clients[0].ID(), c.clients[4].ID()} {
			var t target
			if room != "" {
				t.Rooms = []string{room}
			}
			var list []remote
			c.ok(n.do(command{Do: "fetch", target: t}, &list))
			got := make(map[string]string)
			for _, r := range list {
				got[r.ID] = r.String()
			}
			of := make(map[string]string)
			for _, cl := range c.clients {
				if cl.in(room) {
					of[cl.ID()] = want[cl.ID()]
				}
			}
			if len(list) != len(of) || !maps.Equal(got, of) {
				for id := range want {
					if got[id] != of[id] {
						c.Errorf("node %d, %q: the socket %s is\n  %s\nwant\n  %s", i, room, id, got[id], of[id])
					}
				}
			}
		}
	}
}

// String writes what is known of a socket. The time of its handshake has words for the time
// zone that differ.
func (r remote) String() string {
	slices.Sort(r.Rooms)
	h := maps.Clone(r.Handshake)
	at, _ := h["time"].(string)
	h["time"] = at[:min(len(at), len("Sat Nov 28 2026 08:00:00 GMT+0000"))]
	return fmt.Sprintf("%s %q %s %s", r.ID, r.Rooms, line(revived(r.Data)), line(h))
}

// testServers sends events from server to server.
func testServers(c *cluster, r row) {
	for i, n := range c.nodes {
		for name, v := range values {
			if v.want != nil || name == "long" {
				continue
			}
			var got []any
			c.ok(n.do(command{Do: "serverSideCall", Args: append([]any{"event"}, v.sent...)}, &got))
			var first any
			if len(v.sent) > 0 {
				first = v.sent[0]
			}
			var want []any
			for j, o := range c.nodes {
				if _, inNode := o.(*process); j != i {
					want = append(want, map[string]any{"of": map[bool]string{true: "node", false: "parley"}[inNode], "first": first})
				}
			}
			if !slices.Equal(sorted(got), sorted(want)) {
				c.Errorf("node %d asks with %s: answers %.500q, want %.500q", i, name, sorted(got), sorted(want))
			}
		}
	}
	c.heard(make([][]string, len(c.nodes))) // forget
	want := make([][]string, len(c.nodes))
	for i, n := range c.nodes {
		for k := range 50 {
			c.ok(n.do(command{Do: "serverSideEmit", Args: []any{"event", i, k, octets(4)}}, nil))
			for j := range c.nodes {
				if j != i {
					want[j] = append(want[j], line([]any{i, k, octets(4)}))
				}
			}
		}
		var fence []any // what was sent before has been handled then, but on a Redis cluster
		c.ok(n.do(command{Do: "serverSideCall", Args: []any{"event", "fence"}}, &fence))
	}
	got := c.heard(make([][]string, len(c.nodes)))
	if r.cluster {
		eventually(c.T, "events of servers", 10*time.Millisecond, func() error {
			for j := range got {
				if len(got[j]) < len(want[j]) {
					c.heard(got)
					return fmt.Errorf("node %d has heard %d, want %d", j, len(got[j]), len(want[j]))
				}
			}
			return nil
		})
	}
	for j, got := range got {
		if r.cluster {
			slices.Sort(got)
			slices.Sort(want[j])
		}
		if !slices.Equal(got, want[j]) {
			c.Errorf("node %d has heard %d events, want %d, or in another order: %.300q", j, len(got), len(want[j]), got)
		}
	}
}

// heard adds what each node has heard of other servers, without what is for testServers.
func (c *cluster) heard(lines [][]string) [][]string {
	for j, n := range c.nodes {
		var got []any
		c.ok(n.do(command{Do: "heard"}, &got))
		for _, args := range got {
			if l := line(revived(args)); l != line([]any{"fence"}) {
				lines[j] = append(lines[j], l)
			}
		}
	}
	return lines
}

// testRooms asks for the rooms of all nodes.
func testRooms(c *cluster, r row) {
	if !r.rooms {
		c.Skip("Node's adapter has no such request")
	}
	want := []string{"A", "AB", "B"}
	for _, cl := range c.clients {
		want = append(want, cl.ID())
	}
	slices.Sort(want)
	for i, n := range c.nodes {
		var got []string
		c.ok(n.do(command{Do: "rooms"}, &got))
		if slices.Sort(got); !slices.Equal(got, want) {
			c.Errorf("node %d: %q, want %q", i, got, want)
		}
	}
}
