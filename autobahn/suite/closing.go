package suite

import (
	"fmt"
	"strings"

	"github.com/parleyws/parley/frame"
)

// closeHandling is section 7. The fuzzer sends a Close frame, legal or illegal, with
// or without other frames after it.
func closeHandling() []Case {
	const said = "Hello World!"
	end := closing(frame.StatusNormalClosure, "")
	reply := ending{codeFatal: true}
	row := func(id, title string, pieces ...piece) Case {
		return Case{ID: id, Title: title, steps: send(burst, pieces...), ending: reply}
	}
	afterEcho := row("7.1.1", "text, then close")
	afterEcho.ok = events(echo(said))
	afterEcho.steps = []step{{pieces: []piece{text(said)}, await: 1}, {pieces: []piece{end}}}
	flood := piece{op: frame.Text, data: filler{"BAsd7&jh23", 256 << 10}}
	inform := row("7.1.6", "long text, short text, close and ping in one go", flood, text(said), end, ping(""))
	inform.informational = true
	cases := []Case{
		afterEcho,
		row("7.1.2", "two close frames", end, piece{op: frame.Close}),
		row("7.1.3", "close, then ping", end, ping("")),
		row("7.1.4", "close, then text", end, text(said)),
		row("7.1.5", "close between two fragments", text("fragment1").open(), end, cont("fragment2")),
		inform,
	}
	return append(append(cases, closePayloads()...), closeCodes()...)
}

// closePayloads is 7.3 and 7.5: the payload of the Close frame.
func closePayloads() []Case {
	row := func(id, title string, p piece, e ending) Case {
		return Case{ID: id, Title: title, steps: send(burst, p), ending: e}
	}
	good := ending{codeFatal: true}
	empty := ending{codeFatal: true, noCode: true}
	bad := ending{codes: failed1002.codes, unclean: true, codeFatal: true}
	eitherBad := bad
	eitherBad.codes = []frame.StatusCode{frame.StatusProtocolError, frame.StatusInvalidPayload}
	reason := func(n int) string { return strings.Repeat("*", n) }
	return []Case{
		row("7.3.1", "close without payload", piece{op: frame.Close}, empty),
		row("7.3.2", "close, one octet", piece{op: frame.Close, data: octets("a")}, bad),
		row("7.3.3", "close with a code", closing(1000, ""), good),
		row("7.3.4", "close with code and reason", closing(1000, "Hello World!"), good),
		row("7.3.5", "close, 125 octets", closing(1000, reason(123)), good),
		row("7.3.6", "close, 126 octets", closing(1000, reason(124)), bad),
		row("7.5.1", "close, reason is no UTF-8", closing(1000, surrogate), eitherBad),
	}
}

// closeCodes is 7.7, codes that may be sent, 7.9, codes that may not be sent, and
// 7.13, codes that RFC 6455 does not mention.
func closeCodes() []Case {
	var cases []Case
	add := func(group int, e ending, codes ...frame.StatusCode) {
		for i, code := range codes {
			end := e
			if end.codes == nil {
				end.codes = []frame.StatusCode{frame.StatusNormalClosure, code}
			}
			cases = append(cases, Case{
				ID:            fmt.Sprintf("7.%d.%d", group, i+1),
				Title:         fmt.Sprintf("close %d", code),
				steps:         send(burst, closing(code, "")),
				ending:        end,
				informational: group == 13,
			})
		}
	}
	bad := ending{codes: failed1002.codes, unclean: true, codeFatal: true}
	add(7, ending{codeFatal: true}, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
	add(9, bad, 0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
	add(13, bad, 5000, 65535)
	return cases
}
