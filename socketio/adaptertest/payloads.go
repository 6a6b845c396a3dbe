package adaptertest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
)

// payloads are the arguments of events.
var payloads = map[string][]any{
	"none":        {},
	"null":        {nil},
	"booleans":    {true, false},
	"integers":    {0, 1, -1, 127, 128, -32, -33, 255, 256, -129, 65535, 65536, -32769, math.MaxInt32, math.MinInt32, int64(math.MaxUint32)},
	"greater":     {int64(1) << 32, int64(-1) << 32, int64(1)<<53 - 1, int64(-1)<<53 + 1},
	"fractions":   {0.5, -1.25, 1e21, 1e-7, 5e-324, math.MaxFloat64, 1.1},
	"text":        {"", "a", "ä€🎈", "\u2028\u2029", "<&>", `"\/`, "\x00\x1f\x7f", "e\u0301"},
	"lengths":     {text(31), text(32), text(255), text(256), text(65535), text(65536)},
	"arrays":      {[]any{}, []any{[]any{}, []any{1, []any{nil}}}, make([]any, 15), make([]any, 16), make([]any, 70000)},
	"objects":     {map[string]any{}, map[string]any{"": "", "a": map[string]any{"b": []any{map[string]any{}}}, "ключ": 1}},
	"deep":        {deep(40)},
	"binary":      {octets(5)},
	"no octets":   {[]byte{}, "", []byte{}},
	"sizes":       {octets(255), octets(256), octets(65535), octets(65536)},
	"in depth":    {map[string]any{"a": []any{1, octets(3), map[string]any{"b": octets(4)}}, "c": octets(2)}, "x", octets(1)},
	"every octet": {every(), map[string]any{"x": every()}},
	"twenty":      twenty(),
	// What looks like the protocol's own, and is data.
	"placeholder": {map[string]any{"_placeholder": true, "num": 0}},
	"buffer":      {map[string]any{"type": "Buffer", "data": []any{1, 2, 300}}},
	"packet":      {map[string]any{"type": 2, "nsp": "/", "data": []any{"x"}}, []any{"uid", map[string]any{}, map[string]any{}}},
}

func text(n int) string { return strings.Repeat("x", n) }

func octets(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func every() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func deep(n int) any {
	if n == 0 {
		return "deep"
	}
	if n%2 == 0 {
		return []any{deep(n - 1)}
	}
	return map[string]any{"x": deep(n - 1)}
}

func twenty() (list []any) {
	for i := range 20 {
		list = append(list, octets(i+1), i)
	}
	return list
}

// testPayloads sends arguments of every kind. They come as they are, and belong to the
// caller again when Emit has returned.
func testPayloads(c *cluster) {
	c.standard()
	want := wants{}
	for name, args := range payloads {
		for _, event := range []string{name, "ä " + name} {
			c.ok(c.nodes[1].io.To("A").Emit(event, args...))
			want.add(line(event, args...), c.names(in("A"))...)
		}
	}
	b := octets(20)
	c.ok(c.nodes[1].io.To("A").Emit("mine again", b))
	want.add(line("mine again", b), c.names(in("A"))...)
	clear(b)
	c.wantInOrder(want)
}

// testBigMessages sends a megabyte, as text and as octets, between small events.
func testBigMessages(c *cluster) {
	c.standard()
	want := wants{}
	for i, n := range c.nodes {
		room := []string{"A", "B", "AB"}[i]
		for _, arg := range []any{"small", text(1 << 20), "small", octets(1 << 20), "small", []any{bytes.Repeat([]byte("x"), 1<<20), "ä"}, "end"} {
			c.ok(n.io.To(room).Emit("big", i, arg))
			want.add(line("big", i, arg), c.names(in(room))...)
		}
	}
	c.want(want)
}
