package suite

import (
	"fmt"
	"time"

	"github.com/parleyws/parley/frame"
)

// Window returns a case that the suite lacks: many messages of prose, with the
// window and the takeover that are asked of the endpoint.
func Window(bits int, noTakeover bool) Case {
	return Case{
		ID:      fmt.Sprintf("%d bits, takeover %v", bits, !noTakeover),
		Title:   "messages of 3,000",
		asks:    []ask{{bits: bits, noTakeover: noTakeover, keeps: !noTakeover}},
		traffic: &traffic{data: prose, size: 3000},
		limit:   480 * time.Second,
	}
}

// Compressed returns cases that the suite lacks, of single compressed frames (RFC 7692,
// sections 6 and 7.2).
func Compressed() []Case {
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00" // "Hello", section 7.2.3.1
	const rsv1 = 4
	whole := text(hello).reserved(rsv1)
	first, last := text(hello[:3]).open().reserved(rsv1), cont(hello[3:])
	row := func(title string, how sending, pieces ...piece) Case {
		return Case{ID: title, Title: title, asks: []ask{{keeps: true}}, steps: send(how, pieces...)}
	}
	good := func(title string, how sending, ok []event, pieces ...piece) Case {
		c := row(title, how, pieces...)
		c.ok = ok
		return c
	}
	bad := func(title string, e ending, pieces ...piece) Case {
		c := row(title, burst, pieces...)
		c.ending = e
		return c
	}
	return []Case{
		good("whole", burst, events(echo("Hello")), whole),
		good("fragments", frameWise, events(echo("Hello")), first, last),
		good("fragments octet by octet", octetWise, events(echo("Hello")), first, last),
		good("fragments of an octet", burst, events(echo("Hello")), piece{op: frame.Text, rsv: rsv1, data: octets(hello), fragment: 1}),
		good("first fragment empty", burst, events(echo("Hello")), text("").open().reserved(rsv1), cont(hello)),
		good("pings inside", frameWise, events(pongFor("Hello"), pongFor(""), echo("Hello")),
			first, ping("Hello"), cont("").open(), ping(""), last),
		good("empty", burst, events(echo("")), text("\x00").reserved(rsv1)),
		good("empty in fragments", burst, events(echo("")), text("").open().reserved(rsv1), cont("\x00").open(), cont("")),
		good("empty three times", burst, events(echo(""), echo(""), echo("")),
			text("\x00").reserved(rsv1), text("\x00").reserved(rsv1), text("\x00").reserved(rsv1)),
		good("not compressed", burst, events(echo("Hello")), text("Hello")),
		good("compressed, not, compressed", burst, events(echo("Hello"), echo(hello[1:2]+"i"), echo("Hello")), whole, text(hello[1:2]+"i"), whole),
		good("refers to the message before the ping", burst, events(echo("Hello"), pongFor("Hello"), echo("Hello")),
			whole, ping("Hello"), text("\xf2\x00\x11\x00\x00").reserved(rsv1)),
		good("stored block", burst, events(echo("Hello")), text("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00").reserved(rsv1)),
		good("final block", burst, events(echo("Hello"), echo("Hello")), text("\xf3\x48\xcd\xc9\xc9\x07\x00\x00").reserved(rsv1), whole),
		good("two blocks", burst, events(echo("Hello")), text("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00").reserved(rsv1)),
		bad("Rsv1 in a continuation", failed1002, first, last.reserved(rsv1)),
		bad("Rsv1 in a ping", failed1002, ping("").reserved(rsv1)),
		bad("Rsv2 in a compressed message", failed1002, text(hello).reserved(rsv1|2)),
		bad("text that is no UTF-8", failed1007, text("\x00\x02\x00\xfd\xff\xc3\x28\x00").reserved(rsv1)),
	}
}
