package suite

import (
	"fmt"
	"time"
)

// fragmentation is section 5.
func fragmentation() []Case {
	joined := events(echo("fragment1fragment2"))
	first, last := text("fragment1").open(), cont("fragment2")
	between := ping("ping payload")
	cases := []Case{
		{ID: "5.1", Title: "ping in two fragments", steps: send(burst, ping("fragment1").open(), last), ending: failed1002},
		{ID: "5.2", Title: "pong in two fragments", steps: send(burst, pong("fragment1").open(), last), ending: failed1002},
	}
	ways := []struct {
		how  sending
		name string
	}{{burst, "in one write"}, {frameWise, "frame by frame"}, {octetWise, "octet by octet"}}
	add := func(title string, c Case, pieces ...piece) {
		for _, w := range ways {
			c.ID = fmt.Sprintf("5.%d", len(cases)+1)
			c.Title = title + ", " + w.name
			c.steps = send(w.how, pieces...)
			cases = append(cases, c)
		}
	}
	stray := cont("non-continuation payload")
	add("text in two fragments", Case{ok: joined}, first, last)
	add("text in two fragments, a ping between", Case{ok: append(events(pongFor("ping payload")), joined...)}, first, between, last)
	add("continuation of nothing, FIN=1, then text", Case{ending: failed1002}, stray, text(hello))
	add("continuation of nothing, FIN=0, then text", Case{ending: failed1002}, stray.open(), text(hello))
	return append(cases, misfits(first, last)...)
}

func misfits(first, last piece) []Case {
	joined := events(echo("fragment1fragment2"))
	round := func(stray piece) []step {
		once := []piece{stray, text("fragment2").open(), cont("fragment3")}
		return send(burst, append(once, once...)...)
	}
	return []Case{
		{ID: "5.15", Title: "text in two fragments, a continuation of nothing, text",
			steps: send(burst, first, last, cont("fragment3").open(), text("fragment4")),
			ok:    joined, nonStrict: events(), ending: failed1002},
		{ID: "5.16", Title: "twice: continuation of nothing, FIN=0, then text in two fragments",
			steps: round(cont("fragment1").open()), ending: failed1002},
		{ID: "5.17", Title: "twice: continuation of nothing, FIN=1, then text in two fragments",
			steps: round(cont("fragment1")), ending: failed1002},
		{ID: "5.18", Title: "two fragments, both with opcode text",
			steps: send(burst, first, text("fragment2")), ending: failed1002},
		slowPings("5.19", burst),
		slowPings("5.20", frameWise),
	}
}

// slowPings is a text in five fragments with two pings. The first pong must come before
// the second half of the fragments is sent.
func slowPings(id string, how sending) Case {
	return Case{
		ID:    id,
		Title: "five fragments, a ping, a second, a ping",
		steps: []step{
			{pieces: []piece{text("fragment1").open(), cont("fragment2").open(), ping("pongme 1!")},
				how: how, await: 1, wait: time.Second},
			{pieces: []piece{cont("fragment3").open(), cont("fragment4").open(), ping("pongme 2!"), cont("fragment5")},
				how: how},
		},
		ok:    events(pongFor("pongme 1!"), pongFor("pongme 2!"), echo("fragment1fragment2fragment3fragment4fragment5")),
		limit: 3 * time.Second,
	}
}
