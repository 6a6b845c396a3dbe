package suite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parleyws/parley/frame"
)

const (
	// kosme is a Greek word with characters of two and three bytes.
	kosme = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"
	// mixed is text whose characters have one and two bytes.
	mixed = "Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!"
	// surrogate has a UTF-16 surrogate in the middle, so it is not UTF-8.
	surrogate = kosme + "\xED\xA0\x80edited"
	// tooGreat would be U+110000. Its second byte is the first bad one.
	tooGreat = "\xF4\x90\x80\x80"
)

// utf8Cases is section 6.
func utf8Cases() []Case {
	fragments := func(s string) []step {
		return send(burst, piece{op: frame.Text, data: octets(s), fragment: 1})
	}
	cases := []Case{
		{ID: "6.1.1", Title: "empty text", steps: send(burst, text("")), ok: events(echo(""))},
		{ID: "6.1.2", Title: "text in three empty fragments",
			steps: send(burst, text("").open(), cont("").open(), cont("")), ok: events(echo(""))},
		{ID: "6.1.3", Title: "three fragments, the outer ones empty",
			steps: send(burst, text("").open(), cont("middle frame payload").open(), cont("")), ok: events(echo("middle frame payload"))},
		{ID: "6.2.1", Title: "valid text", steps: send(burst, text(mixed)), ok: events(echo(mixed))},
		{ID: "6.2.2", Title: "valid text, cut between characters",
			steps: send(burst, text(mixed[:15]).open(), cont(mixed[15:])), ok: events(echo(mixed))},
		{ID: "6.2.3", Title: "valid text in fragments of an octet", steps: fragments(mixed), ok: events(echo(mixed))},
		{ID: "6.2.4", Title: "Greek text in fragments of an octet", steps: fragments(kosme), ok: events(echo(kosme))},
		{ID: "6.3.1", Title: "text with a surrogate", steps: send(burst, text(surrogate)), ending: failed1007},
		{ID: "6.3.2", Title: "text with a surrogate, in fragments of an octet", steps: fragments(surrogate), ending: failed1007},
	}
	return append(append(cases, failFast()...), sequences()...)
}

// failFast is 6.4: three parts, one second apart, of which the second makes the
// text invalid. The connection must fail after the second part. If it fails
// only when the text is complete, the suite's verdict is NON-STRICT.
func failFast() []Case {
	threeFrames := func(a, b, c string) []step {
		return []step{
			{pieces: []piece{text(a).open()}, wait: time.Second},
			{pieces: []piece{cont(b).open()}, wait: time.Second},
			{pieces: []piece{cont(c)}},
		}
	}
	oneFrame := func(a, b, c string) []step {
		return []step{
			{pieces: []piece{text(a + b + c).open()}, cuts: []int{len(a), len(a + b)}, wait: time.Second},
			{pieces: []piece{cont("")}},
		}
	}
	whole := [3]string{kosme, tooGreat, "edited"}
	inside := [3]string{kosme + tooGreat[:1], tooGreat[1:2], tooGreat[2:] + "edited"}
	row := func(id, title string, steps []step) Case {
		return Case{ID: id, Title: title, steps: steps, ok: events(pause()), nonStrict: events(pause(), pause()),
			ending: failed1007, limit: 4 * time.Second}
	}
	return []Case{
		row("6.4.1", "fail fast, three fragments", threeFrames(whole[0], whole[1], whole[2])),
		row("6.4.2", "fail fast, three fragments, cut inside the bad character", threeFrames(inside[0], inside[1], inside[2])),
		row("6.4.3", "fail fast, one frame in three parts", oneFrame(whole[0], whole[1], whole[2])),
		row("6.4.4", "fail fast, one frame in three parts, cut inside the bad character", oneFrame(inside[0], inside[1], inside[2])),
	}
}

// sequences is 6.5 to 6.23: texts in one frame, valid or not.
func sequences() []Case {
	var cases []Case
	for i, g := range sequenceGroups() {
		for j, s := range g.texts {
			c := Case{
				ID:    fmt.Sprintf("6.%d.%d", i+5, j+1),
				Title: fmt.Sprintf("%s: % X", g.title, s),
				steps: send(burst, text(s)),
				ok:    events(echo(s)),
				limit: 500 * time.Millisecond,
			}
			if g.invalid(j + 1) {
				c.ok, c.ending = nil, failed1007
			}
			cases = append(cases, c)
		}
	}
	return cases
}

type sequenceGroup struct {
	title   string
	invalid func(n int) bool // reports whether the n-th text is invalid
	texts   []string
}

func sequenceGroups() []sequenceGroup {
	all := func(int) bool { return true }
	none := func(int) bool { return false }
	only := func(bad ...int) func(int) bool {
		return func(n int) bool { return slices.Contains(bad, n) }
	}
	incomplete := []string{"\xC0", "\xE0\x80", "\xF0\x80\x80", "\xF8\x80\x80\x80", "\xFC\x80\x80\x80\x80",
		"\xDF", "\xEF\xBF", "\xF7\xBF\xBF", "\xFB\xBF\xBF\xBF", "\xFD\xBF\xBF\xBF\xBF"}
	return []sequenceGroup{
		{"valid", none, []string{"hello$world", "hello\u00A2world", "hello\u20ACworld", "hello\U00024B62world", kosme}},
		{"prefix", only(1, 3, 4, 6, 8, 10), prefixes(kosme)},
		{"first of its length", none, []string{"\x00", "\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"}},
		{"first of five and six octets", all, []string{"\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80"}},
		{"last of its length", none, []string{"\x7F", "\xDF\xBF", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}},
		{"last of four, five and six octets", all, []string{"\xF7\xBF\xBF\xBF", "\xFB\xBF\xBF\xBF\xBF", "\xFD\xBF\xBF\xBF\xBF\xBF"}},
		{"border", only(5), []string{"\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF", tooGreat}},
		{"continuation octets", all, slices.Concat([]string{"\x80", "\xBF"}, prefixes("\x80\xBF\x80\xBF\x80\xBF")[1:], []string{span(0x80, 0xBE, "")})},
		{"lonely first octets", all, []string{span(0xC0, 0xDE, " "), span(0xE0, 0xEE, " "), span(0xF0, 0xF6, " "), span(0xF8, 0xFA, " "), "\xFC "}},
		{"last octet missing", all, incomplete},
		{"incomplete sequences in a row", all, []string{strings.Join(incomplete, "")}},
		{"impossible octets", all, []string{"\xFE", "\xFF", "\xFE\xFE\xFF\xFF"}},
		{"overlong slash", all, []string{"\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xF8\x80\x80\x80\xAF", "\xFC\x80\x80\x80\x80\xAF"}},
		{"greatest overlong", all, []string{"\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF8\x87\xBF\xBF\xBF", "\xFC\x83\xBF\xBF\xBF\xBF"}},
		{"overlong NUL", all, []string{"\xC0\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xF8\x80\x80\x80\x80", "\xFC\x80\x80\x80\x80\x80"}},
		{"surrogate", all, []string{"\xED\xA0\x80", "\xED\xAD\xBF", "\xED\xAE\x80", "\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBE\x80", "\xED\xBF\xBF"}},
		{"surrogate pair", all, []string{"\xED\xA0\x80\xED\xB0\x80", "\xED\xA0\x80\xED\xBF\xBF", "\xED\xAD\xBF\xED\xB0\x80", "\xED\xAD\xBF\xED\xBF\xBF",
			"\xED\xAE\x80\xED\xB0\x80", "\xED\xAE\x80\xED\xBF\xBF", "\xED\xAF\xBF\xED\xB0\x80", "\xED\xAF\xBF\xED\xBF\xBF"}},
		{"no character", none, nonCharacters()},
		{"special", none, []string{"\uFFF9", "\uFFFA", "\uFFFB", "\uFFFC", "\uFFFD", "\uFFFE", "\uFFFF"}},
	}
}

// prefixes returns the first byte of s, the first two bytes, and so on.
func prefixes(s string) []string {
	var p []string
	for n := range len(s) {
		p = append(p, s[:n+1])
	}
	return p
}

// span returns the bytes from first to last, each followed by behind.
func span(first, last byte, behind string) string {
	var b strings.Builder
	for c := first; c <= last; c++ {
		b.WriteByte(c)
		b.WriteString(behind)
	}
	return b.String()
}

// nonCharacters returns the last two code points of each plane. They are not
// characters, but they are valid UTF-8.
func nonCharacters() []string {
	var s []string
	for plane := range rune(17) {
		s = append(s, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	return s
}
