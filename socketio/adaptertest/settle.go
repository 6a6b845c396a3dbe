package adaptertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// settle waits until what was sent before has arrived: in each namespace, from each node
// that has it, an event to all and one to each room, which come after whatever was sent to
// the same room before. They are sent
// again to those who have not got them after a while: an adapter may subscribe to the rooms
// of its node's sockets, and a socket that has just joined a room misses what is sent
// meanwhile.
func (c *cluster) settle() {
	c.Helper()
	c.rounds++
	end := time.After(c.patience)
	for {
		missing := c.probe()
		for i := 0; missing != "" && i < 20; i++ { // look a few times before the next one is sent
			select {
			case <-time.After(5 * time.Millisecond):
			case <-end:
				c.Fatalf("waiting for an event of settle: %s", missing)
			}
			missing = c.missing(func(*node, string, string, string) {})
		}
		if missing == "" {
			break
		}
	}
	// What a node has delivered to other clients of its own meanwhile is on its way.
	for _, cl := range c.clients {
		_ = cl.socket.Emit(probe, c.token("", "local")) // a client that is gone gets nothing
	}
	eventually(c.T, c.patience, "the events of a node's own", func() error {
		for _, cl := range c.clients {
			if cl.Connected() && !cl.has(c.token("", "local")) {
				return fmt.Errorf("%s has not got it", cl.name)
			}
		}
		return nil
	})
}

func (c *cluster) token(from, room string) string {
	return fmt.Sprintf("%d %s %s", c.rounds, from, room)
}

// probe sends the events of settle that somebody has not got, and returns what is missing.
func (c *cluster) probe() (missing string) {
	c.Helper()
	sent := make(map[string]bool)
	return c.missing(func(from *node, namespace, room, token string) {
		if key := namespace + " " + token; !sent[key] {
			sent[key] = true
			to := from.io.Of(namespace).Compress(true)
			if room != "" {
				to = to.To(room)
			}
			c.ok(to.Emit(probe, token))
		}
	})
}

// has reports whether a node has a namespace. One that comes and goes is not made by asking.
func (n *node) has(namespace string) bool {
	return !dynamic.MatchString(namespace) || slices.Contains(n.io.Namespaces(), namespace)
}

// missing calls f with each event of settle that a client has not got, and returns one.
func (c *cluster) missing(f func(from *node, namespace, room, token string)) (missing string) {
	for _, cl := range c.clients {
		if !cl.Connected() {
			continue
		}
		for _, n := range c.nodes {
			if !n.has(cl.Namespace()) {
				continue
			}
			for _, room := range append(cl.socket.Rooms(), "") {
				token := c.token(n.name, room)
				if !cl.has(token) {
					f(n, cl.Namespace(), room, token)
					missing = fmt.Sprintf("%s of %s, namespace %s, from %s to the room %q (none: to all)", cl.name, cl.node.name, cl.Namespace(), n.name, room)
				}
			}
		}
	}
	return missing
}

// wants are the events that clients should have got, by the client's name.
type wants map[string][]string

// add adds an event for clients.
func (w wants) add(event string, names ...string) {
	for _, name := range names {
		w[name] = append(w[name], event)
	}
}

// want waits until all that was sent has arrived, compares what each client has got, in any
// order, and forgets it.
func (c *cluster) want(want wants) {
	c.Helper()
	c.compare(want, func(list []string) []string { return slices.Sorted(slices.Values(list)) })
}

// wantInOrder is want, in order.
func (c *cluster) wantInOrder(want wants) {
	c.Helper()
	c.compare(want, slices.Clone[[]string])
}

func (c *cluster) compare(want wants, prepare func([]string) []string) {
	c.Helper()
	c.settle()
	for _, cl := range c.clients {
		got, want := prepare(cl.seen()), prepare(want[cl.name])
		if !slices.Equal(got, want) {
			c.Errorf("%s of %s:\n%s", cl.name, cl.node.name, difference(got, want))
		}
		cl.forget()
	}
	if c.Failed() {
		c.FailNow()
	}
}

// difference says how two lists differ, in short.
func difference(got, want []string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %d events, want %d; from the %d. on:\n", len(got), len(want), i+1)
	for j := i; j < min(i+3, max(len(got), len(want))); j++ {
		for name, list := range map[string][]string{"got ": got, "want": want} {
			if j < len(list) {
				fmt.Fprintf(&b, "  %s %.300s\n", name, list[j])
			}
		}
	}
	return b.String()
}

// line writes an event in one line.
func line(name string, args ...any) string {
	b := fmt.Appendf(nil, "%q", name)
	for _, arg := range args {
		b = appendValue(append(b, ' '), arg)
	}
	return string(b)
}

// appendValue writes a value in such a way that the same values have the same text, whatever
// their type in Go.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case []byte:
		if len(v) > 32 {
			return fmt.Appendf(b, "<%d bytes, %x>", len(v), sha256.Sum256(v))
		}
		return fmt.Appendf(b, "<%x>", v)
	case string:
		if len(v) > 200 {
			return fmt.Appendf(b, "(%d characters, %x)", len(v), sha256.Sum256([]byte(v)))
		}
		return fmt.Appendf(b, "%q", v)
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(appendValue(b, e), ' ')
		}
		return append(bytes.TrimSuffix(b, []byte(" ")), ']')
	case map[string]any:
		b = append(b, '{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = append(appendValue(fmt.Appendf(b, "%q:", name), v[name]), ' ')
		}
		return append(bytes.TrimSuffix(b, []byte(" ")), '}')
	}
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, err.Error()...)
	}
	var number float64
	if json.Unmarshal(text, &number) == nil {
		return fmt.Appendf(b, "%v", number)
	}
	return append(b, text...)
}

// names returns the names of the clients for which is returns true.
func (c *cluster) names(is func(*client) bool) (list []string) {
	for _, cl := range c.clients {
		if is(cl) {
			list = append(list, cl.name)
		}
	}
	return list
}

// in returns a function that reports whether a client's socket is in any of the rooms.
func in(rooms ...string) func(*client) bool {
	return func(cl *client) bool {
		return slices.ContainsFunc(cl.socket.Rooms(), func(room string) bool { return slices.Contains(rooms, room) })
	}
}

func not(is func(*client) bool) func(*client) bool { return func(cl *client) bool { return !is(cl) } }

func everybody(*client) bool { return true }
