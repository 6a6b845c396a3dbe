package adaptertest

import (
	"fmt"
	"strings"

	"github.com/parleyws/parley/socketio"
)

// testTargets emits from each node to sockets that are chosen in every way.
func testTargets(c *cluster) {
	c.standard()
	a1, b2 := c.client("a1").id, c.client("b2").id
	want := wants{}
	for i, n := range c.nodes {
		here := func(cl *client) bool { return cl.node == n }
		for name, row := range map[string]struct {
			to   socketio.Endpoint
			gets func(*client) bool
		}{
			"all":                          {n.io, everybody},
			"a room":                       {n.io.To("A"), in("A")},
			"two rooms":                    {n.io.To("A", "B"), in("A", "B")},
			"two rooms that share sockets": {n.io.To("A").To("AB"), in("AB")},
			"a room, given twice":          {n.io.To("A", "A"), in("A")},
			"a room, given thrice":         {n.io.To("B").To("B", "B"), in("B")},
			"a room that is empty":         {n.io.To("nobody"), in("nobody")},
			"a room and an empty one":      {n.io.To("nobody", "A"), in("A")},
			"all but a room":               {n.io.Except("A"), not(in("A"))},
			"all but two rooms":            {n.io.Except("A", "B"), not(everybody)},
			"a room but another one":       {n.io.To("AB").Except("B"), in("A")},
			"a room but itself":            {n.io.To("A").Except("A"), not(everybody)},
			"all but an empty room":        {n.io.Except("nobody"), everybody},
			"a socket":                     {n.io.To(a1), in(a1)},
			"two sockets":                  {n.io.To(a1, b2), in(a1, b2)},
			"a socket and its room":        {n.io.To(a1, "A"), in("A")},
			"all but a socket":             {n.io.Except(a1), not(in(a1))},
			"a room but a socket":          {n.io.To("A").Except(a1, b2), func(cl *client) bool { return in("A")(cl) && cl.id != a1 }},
			"this node":                    {n.io.Local(), here},
			"a room of this node":          {n.io.Local().To("A"), func(cl *client) bool { return here(cl) && in("A")(cl) }},
			"uncompressed":                 {n.io.Compress(false), everybody},
			"a room, uncompressed":         {n.io.To("A").Compress(false), in("A")},
		} {
			c.ok(emit(row.to, name, i))
			want.add(line(name, i), c.names(row.gets)...)
		}
	}
	c.want(want)
}

// emit sends an event to what has no method for that in common.
func emit(to socketio.Endpoint, event string, args ...any) error {
	return to.(interface {
		Emit(event string, args ...any) error
	}).Emit(event, args...)
}

// testSenders emits to others from a socket, which gets nothing itself.
func testSenders(c *cluster) {
	c.standard()
	want := wants{}
	for _, name := range []string{"a0", "b1", "a2"} {
		me, other := c.client(name), c.client("b0")
		s := me.socket
		for what, row := range map[string]struct {
			to   socketio.Endpoint
			gets func(*client) bool
		}{
			"all":           {s.Broadcast(), everybody},
			"a room":        {s.To("AB"), in("AB")},
			"two rooms":     {s.To("A", "B"), in("A", "B")},
			"its own room":  {s.To(s.ID()), not(everybody)},
			"other":         {s.To(other.id), in(other.id)},
			"all but":       {s.Except("A"), not(in("A"))},
			"a room but":    {s.In("AB").Except("A"), in("B")},
			"all but other": {s.Except(other.id), not(in(other.id))},
			"local":         {s.Local(), func(cl *client) bool { return cl.node == me.node }},
		} {
			c.ok(emit(row.to, what, name))
			want.add(line(what, name), c.names(func(cl *client) bool { return row.gets(cl) && cl != me })...)
		}
		c.ok(s.Emit("to itself"))
		want.add(line("to itself"), name)
	}
	c.want(want)
}

// roomNames are names that a broker's channels, patterns and subjects may take for something
// else.
var roomNames = []string{
	"1", "0", "-1", "1.5", "1e3", "9007199254740993", "true", "null", "room", "Room",
	"ä", "部屋", "🎈", "e\u0301", "\u00e9", "a b", " ", "a#b", "#", "a#", "#a", "a.b", "a..b", ".", "*", "a*", ">", "a.>", "?",
	"[ab]", `a\b`, `"`, "'", "{a}", "}{", "a:b", "a/b", "/", "a,b", "%41", "+", "$", "$SYS", "_INBOX.a", "\x00", "a\r\nb", "\t",
	"abcdefghijklmnopqrst", "-_-_-_-_-_-_-_-_-_-_", strings.Repeat("long", 200),
}

// testRoomNames gives rooms names of every kind. No name means another room.
func testRoomNames(c *cluster) {
	c.start(2)
	for i, room := range roomNames {
		c.nodes[i%2].dial(fmt.Sprint("member ", i), "/", room)
	}
	c.settle()
	want := wants{}
	for i, room := range roomNames {
		for j, n := range c.nodes {
			c.ok(n.io.To(room).Emit("hello", i, j))
			want.add(line("hello", i, j), fmt.Sprint("member ", i))
		}
		c.ok(c.nodes[1-i%2].io.To(room, "nobody").Emit("two", i))
		want.add(line("two", i), fmt.Sprint("member ", i))
	}
	c.ok(c.nodes[0].io.Except(roomNames[1:]...).Emit("the first"))
	c.ok(c.nodes[1].io.To(roomNames...).Except(roomNames[:len(roomNames)-1]...).Emit("the last"))
	want.add(line("the first"), "member 0")
	want.add(line("the last"), fmt.Sprint("member ", len(roomNames)-1))
	c.want(want)
}
