package suite

import (
	"fmt"
	"time"

	"github.com/parleyws/parley/frame"
)

const (
	hello = "Hello, world!"
	// notText is not UTF-8.
	notText = "\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF"
)

// framing is section 1: each form of the payload length, at its edges.
func framing() []Case {
	var cases []Case
	for group, kind := range []struct {
		op   frame.Opcode
		fill string
	}{{frame.Text, "*"}, {frame.Binary, "\xFE"}} {
		for i, row := range []struct {
			size  int
			chop  sending
			limit time.Duration
		}{
			{0, burst, 0}, {125, burst, 0}, {126, burst, 0}, {127, burst, 0}, {128, burst, 0},
			{65535, burst, 10 * time.Second}, {65536, burst, 10 * time.Second}, {65536, 997, 10 * time.Second},
		} {
			p := piece{op: kind.op, data: filler{kind.fill, row.size}}
			cases = append(cases, Case{
				ID:    fmt.Sprintf("1.%d.%d", group+1, i+1),
				Title: fmt.Sprintf("%v message, %d octets", p.op, row.size),
				steps: send(row.chop, p),
				ok:    events(echoOf(p)),
				limit: row.limit,
			})
		}
	}
	return cases
}

// pings is section 2.
func pings() []Case {
	var ten []piece
	var tenPongs []event
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		ten = append(ten, ping(payload))
		tenPongs = append(tenPongs, pongFor(payload))
	}
	longest, tooLong := filler{"\xFE", 125}, filler{"\xFE", 126}
	unasked := pong("unsolicited pong payload")
	end := closing(frame.StatusNormalClosure, "")
	return []Case{
		{ID: "2.1", Title: "empty ping", steps: send(burst, ping("")), ok: events(pongFor(""))},
		{ID: "2.2", Title: "ping with text", steps: send(burst, ping(hello)), ok: events(pongFor(hello))},
		{ID: "2.3", Title: "ping with octets that are no text", steps: send(burst, ping(notText)), ok: events(pongFor(notText))},
		{ID: "2.4", Title: "ping, 125 octets", steps: send(burst, piece{op: frame.Ping, data: longest}),
			ok: events(event{kind: ponged, data: longest})},
		{ID: "2.5", Title: "ping, 126 octets", steps: send(burst, piece{op: frame.Ping, data: tooLong}), ending: failed1002},
		{ID: "2.6", Title: "ping, 125 octets, octet by octet", steps: send(octetWise, piece{op: frame.Ping, data: longest}),
			ok: events(event{kind: ponged, data: longest})},
		{ID: "2.7", Title: "empty pong that nobody asked for", steps: send(burst, pong(""), end)},
		{ID: "2.8", Title: "pong that nobody asked for", steps: send(burst, unasked, end)},
		{ID: "2.9", Title: "pong that nobody asked for, then a ping", steps: send(burst, unasked, ping("ping payload")),
			ok: events(pongFor("ping payload"))},
		{ID: "2.10", Title: "ten pings", steps: send(frameWise, ten...), ok: tenPongs, limit: 3 * time.Second},
		{ID: "2.11", Title: "ten pings, octet by octet", steps: send(octetWise, ten...), ok: tenPongs, limit: 3 * time.Second},
	}
}

// reservedBits is section 3: no extension has been negotiated.
func reservedBits() []Case {
	first := events(echo(hello))
	row := func(id, title string, how sending, pieces ...piece) Case {
		return Case{ID: id, Title: title, steps: send(how, pieces...), ending: failed1002}
	}
	// second is a bad frame between a good message and a ping. The suite accepts it if
	// the connection fails before the echo is sent.
	second := func(id string, how sending, rsv byte) Case {
		c := row(id, fmt.Sprintf("text, then text with RSV=%d, then ping", rsv), how, text(hello), text(hello).reserved(rsv), ping(""))
		c.ok, c.nonStrict = first, events()
		return c
	}
	return []Case{
		row("3.1", "text with RSV=1", burst, text(hello).reserved(1)),
		second("3.2", burst, 2),
		second("3.3", frameWise, 3),
		second("3.4", octetWise, 4),
		row("3.5", "binary with RSV=5", burst, binaryOf(notText).reserved(5)),
		row("3.6", "binary with RSV=6", burst, binaryOf(hello).reserved(6)),
		row("3.7", "close with RSV=7", burst, piece{op: frame.Close, rsv: 7}),
	}
}

// opcodes is section 4: the opcodes that RFC 6455 reserves.
func opcodes() []Case {
	var cases []Case
	for group, lowest := range []frame.Opcode{3, 11} {
		for i := range 5 {
			op := lowest + frame.Opcode(i)
			bad := []piece{
				{op: op},
				{op: op, data: octets("reserved opcode payload")},
				{op: op},
				{op: op, data: octets(hello)},
				{op: op, data: octets(hello)},
			}[i]
			c := Case{
				ID:     fmt.Sprintf("4.%d.%d", group+1, i+1),
				Title:  op.String(),
				steps:  send(burst, bad),
				ending: failed1002,
			}
			if i >= 2 {
				c.Title = "text, then " + c.Title + ", then ping"
				c.steps = send(burst, text(hello), bad, ping(""))
				c.ok, c.nonStrict = events(echo(hello)), events()
			}
			if i == 4 {
				c.steps[0].how = octetWise
			}
			cases = append(cases, c)
		}
	}
	return cases
}
