package conn_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// Frames that many scripts need.
const (
	hello   = "81 05 48 65 6c 6c 6f" // text "Hello", RFC 6455, section 5.7
	bye     = "88 05 03 e8 62 79 65" // Close 1000 "bye"
	goodbye = "closed 1000 bye"

	messageLimit = 64 << 10
)

// An exchange is one rule: what the peer sends, and what comes of it.
type exchange struct {
	name   string
	only   string // "server" or "client": our role, if the rule is for one
	terms  *handshake.Deflate
	script []string
	sent   transcript // frames that we send
	read   transcript // what Read returns
}

// fails is what a broken rule leads to.
func fails(code string) (sent, read transcript) {
	return transcript{"close " + code}, transcript{"failed " + code}
}

// broken is an exchange that ends with our Close frame and its code.
func broken(name, code string, script ...string) exchange {
	sent, read := fails(code)
	return exchange{name: name, script: script, sent: sent, read: read}
}

// legal is an exchange without a fault, which the peer closes.
func legal(name string, read []string, script ...string) exchange {
	return exchange{
		name: name, script: append(script, bye),
		sent: transcript{"close 1000"}, read: append(transcript(read), goodbye),
	}
}

// on returns e with permessage-deflate agreed, without context takeover.
func (e exchange) on(terms *handshake.Deflate) exchange {
	e.terms = terms
	return e
}

// as returns e for one role alone.
func (e exchange) as(role string) exchange {
	e.only = role
	return e
}

// after returns e with frames that are sent before the last one.
func (e exchange) sends(sent ...string) exchange {
	e.sent = append(transcript(sent), e.sent...)
	return e
}

var (
	noTakeover = &handshake.Deflate{
		ServerNoContextTakeover: true, ClientNoContextTakeover: true,
		ServerMaxWindowBits: 15, ClientMaxWindowBits: 15,
	}
	withTakeover = &handshake.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
)

// TestProtocol plays each rule of framing, fragmentation, control frames and
// closing in both roles, with the peer's octets in one piece and one by one.
func TestProtocol(t *testing.T) {
	o := &conn.Options{Limits: conn.Limits{Message: messageLimit}}
	var all []exchange
	for _, part := range [][]exchange{framing, fragmentation, control, closing, text, compression} {
		all = append(all, part...)
	}
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for role, name := range map[conn.Role]string{conn.RoleServer: "server", conn.RoleClient: "client"} {
				if e.only != "" && e.only != name {
					continue
				}
				for _, cut := range []bool{false, true} {
					sent, read := play(t, role, o, e.terms, cut, e.script...)
					if diff := cmp.Diff(e.sent, sent); diff != "" {
						t.Errorf("%s, cut %t, sent (-want +got):\n%s", name, cut, diff)
					}
					if diff := cmp.Diff(e.read, read); diff != "" {
						t.Errorf("%s, cut %t, read (-want +got):\n%s", name, cut, diff)
					}
				}
			}
		})
	}
}

// RFC 6455, sections 5.1 and 5.2.
var framing = []exchange{
	broken("frame from a client not masked", "1002", asIs+hello).as("server"),
	broken("control frame from a client not masked", "1002", asIs+"89 00").as("server"),
	broken("frame from a server masked", "1002", asIs+"81 85 37 fa 21 3d 7f 9f 4d 51 58").as("client"),
	broken("control frame from a server masked", "1002", asIs+"89 80 37 fa 21 3d").as("client"),
	broken("RSV1 without an extension", "1002", "c1 05 48 65 6c 6c 6f"),
	broken("RSV2 set", "1002", "a1 05 48 65 6c 6c 6f"),
	broken("RSV3 set", "1002", "91 05 48 65 6c 6c 6f"),
	broken("RSV2 set with compression", "1002", "e1 07 f2 48 cd c9 c9 07 00").on(noTakeover),
	broken("RSV3 set with compression", "1002", "91 05 48 65 6c 6c 6f").on(noTakeover),
	broken("RSV1 in a control frame", "1002", "c9 00"),
	broken("RSV2 in a control frame", "1002", "a9 00"),
	broken("RSV3 in a Close frame", "1002", "98 00"),
	broken("opcode 3", "1002", "83 00"),
	broken("opcode 4", "1002", "84 00"),
	broken("opcode 5", "1002", "85 00"),
	broken("opcode 6", "1002", "86 00"),
	broken("opcode 7", "1002", "87 00"),
	broken("opcode B", "1002", "8b 00"),
	broken("opcode C", "1002", "8c 00"),
	broken("opcode D", "1002", "8d 00"),
	broken("opcode E", "1002", "8e 00"),
	broken("opcode F", "1002", "8f 00"),
	broken("reserved opcode inside a message", "1002", "01 01 48", "83 00"),
	broken("length 125 in 16 bits", "1002", "82 7e 00 7d"),
	broken("length 65535 in 64 bits", "1002", "82 7f 00 00 00 00 00 00 ff ff"),
	broken("length with the top bit", "1002", "82 7f 80 00 00 00 00 00 00 00"),
	broken("length over the limit", "1009", "82 7f 00 00 00 00 00 01 00 01"),
	broken("greatest length", "1009", "82 7f 7f ff ff ff ff ff ff ff"),
	legal("text", []string{"text Hello"}, hello),
	legal("binary", []string{"binary 0001fffe"}, "82 04 00 01 ff fe"),
	legal("empty messages", []string{"text", "binary"}, "81 00", "82 00"),
	legal("256 octets", []string{"binary of 256 octets"}, "82 7e 01 00"+zeros(256)),
	legal("64 KiB", []string{"binary of 65536 octets"}, "82 7f 00 00 00 00 00 01 00 00"+zeros(65536)),
	legal("125 octets in 7 bits, 126 in 16", []string{"binary " + zeros(125), "binary of 126 octets"},
		"82 7d"+zeros(125), "82 7e 00 7e"+zeros(126)),
	// The octets of section 5.7 as they stand there.
	legal("sample: masked text", []string{"text Hello"}, asIs+"81 85 37 fa 21 3d 7f 9f 4d 51 58").as("server"),
	legal("sample: unmasked text", []string{"text Hello"}, asIs+hello).as("client"),
	legal("sample: fragmented text", []string{"text Hello"}, asIs+"01 03 48 65 6c", asIs+"80 02 6c 6f").as("client"),
	legal("sample: ping", nil, asIs+"89 05 48 65 6c 6c 6f").as("client").sends("pong 48656c6c6f"),
	legal("sample: masked pong", nil, asIs+"8a 85 37 fa 21 3d 7f 9f 4d 51 58").as("server"),
}

// RFC 6455, section 5.4.
var fragmentation = []exchange{
	legal("two fragments", []string{"text Hello"}, "01 03 48 65 6c", "80 02 6c 6f"),
	legal("five fragments", []string{"text Hello"}, "01 01 48", "00 01 65", "00 01 6c", "00 01 6c", "80 01 6f"),
	legal("empty fragments", []string{"text Hello"}, "01 00", "00 05 48 65 6c 6c 6f", "00 00", "80 00"),
	legal("fragments of the type of the first", []string{"binary ff00"}, "02 01 ff", "80 01 00"),
	legal("fragmented, then whole", []string{"text He", "text Hello"}, "01 01 48", "80 01 65", hello),
	legal("control frames between fragments", []string{"text Hello"},
		"01 03 48 65 6c", "89 01 31", "8a 01 32", "89 01 33", "80 02 6c 6f").sends("pong 31", "pong 33"),
	broken("continuation without a message", "1002", "80 05 48 65 6c 6c 6f"),
	broken("continuation without a message, not the last", "1002", "00 05 48 65 6c 6c 6f"),
	{name: "continuation behind a whole message", script: []string{hello, "80 00"},
		sent: transcript{"close 1002"}, read: transcript{"text Hello", "failed 1002"}},
	{name: "continuation behind the last fragment", script: []string{"01 01 48", "80 01 65", "80 01 6c"},
		sent: transcript{"close 1002"}, read: transcript{"text He", "failed 1002"}},
	broken("text inside a fragmented text", "1002", "01 03 48 65 6c", "81 02 6c 6f"),
	broken("binary inside a fragmented text", "1002", "01 03 48 65 6c", "82 02 6c 6f"),
	broken("first fragment inside a fragmented message", "1002", "02 01 00", "02 01 00"),
	broken("fragments over the limit", "1009", "02 7e ff ff"+zeros(1<<16-1), "80 02 00 00"),
	{name: "end of stream inside a message", script: []string{"01 03 48 65 6c", endOfStream},
		read: transcript{"cut"}},
	{name: "end of stream inside a frame", script: []string{"81 05 48 65", endOfStream},
		read: transcript{"cut"}},
	{name: "end of stream inside a header", script: []string{asIs + "81", endOfStream},
		read: transcript{"cut"}},
}

// RFC 6455, section 5.5, but for closing.
var control = []exchange{
	legal("ping answered", nil, "89 02 68 69").sends("pong 6869"),
	legal("empty ping answered", nil, "89 00").sends("pong"),
	legal("ping of 125 octets", nil, "89 7d"+zeros(125)).sends("pong " + zeros(125)),
	legal("pings answered in order", nil, "89 01 31", "89 01 32", "89 01 33").sends("pong 31", "pong 32", "pong 33"),
	legal("pong unasked", []string{"text Hello"}, "8a 00", "8a 02 68 69", hello),
	broken("ping of 126 octets", "1002", "89 7e 00 7e"+zeros(126)),
	broken("pong of 126 octets", "1002", "8a 7e 00 7e"+zeros(126)),
	broken("close of 126 octets", "1002", "88 7e 00 7e 03 e8"+zeros(124)),
	broken("control length in 64 bits", "1002", "89 7f 00 00 00 00 00 01 00 00"),
	broken("fragmented ping", "1002", "09 01 31"),
	broken("fragmented pong", "1002", "0a 01 31"),
	broken("fragmented close", "1002", "08 02 03 e8"),
	broken("fragmented ping inside a message", "1002", "01 01 48", "09 01 31"),
}

// RFC 6455, sections 5.5.1, 7.1 and 7.4.
var closing = []exchange{
	{name: "close answered with its code", script: []string{"88 02 0f a0"},
		sent: transcript{"close 4000"}, read: transcript{"closed 4000"}},
	{name: "close without a code answered without one", script: []string{"88 00"},
		sent: transcript{"close"}, read: transcript{"closed 1005"}},
	{name: "close with a reason of 123 octets", script: []string{"88 7d 03 e8" + repeat("61", 123)},
		sent: transcript{"close 1000"}, read: transcript{"closed 1000 " + repeat("a", 123)}},
	broken("close payload of one octet", "1002", "88 01 03"),
	broken("close reason not UTF-8", "1007", "88 04 03 e8 c0 af"),
	broken("close reason ends inside a character", "1007", "88 04 03 e8 e2 82"),
	{name: "nothing read behind a close", script: []string{bye, hello, "89 00", "83 00"},
		sent: transcript{"close 1000"}, read: transcript{goodbye}},
	{name: "nothing processed behind a failure", script: []string{hello, "83 00", "89 00", hello, bye},
		sent: transcript{"close 1002"}, read: transcript{"text Hello", "failed 1002"}},
	{name: "close inside a message", script: []string{"01 03 48 65 6c", bye},
		sent: transcript{"close 1000"}, read: transcript{goodbye}},
	{name: "end of stream without a close", script: []string{endOfStream}, read: transcript{"cut"}},
}

// RFC 6455, sections 5.6 and 8.1. The last frame of a script that fails has not
// come as a whole: its text is refused while it arrives.
var text = []exchange{
	legal("character cut by fragments", []string{"text é"}, "01 01 c3", "80 01 a9"),
	legal("four octets cut by three pings", []string{"text 😀"},
		"01 01 f0", "89 00", "00 01 9f", "89 00", "00 01 98", "89 00", "80 01 80").sends("pong", "pong", "pong"),
	legal("NUL and noncharacters are text", []string{"text \x00\uFFFF"}, "81 04 00 ef bf bf"),
	legal("binary is any octets", []string{"binary c0af"}, "82 02 c0 af"),
	broken("text that is not UTF-8", "1007", "81 02 c0 af"),
	broken("text ends inside a character", "1007", "81 02 e2 82"),
	broken("fragmented text ends inside a character", "1007", "01 01 e2", "80 01 82"),
	broken("surrogate in text", "1007", "81 7e 01 00 ed a0"),
	broken("text above U+10FFFF", "1007", "81 7e 01 00 f4 90"),
	broken("bad octet in a fragment", "1007", "01 01 48", "00 02 48 ff"),
	broken("bad octet in front of a long text", "1007", "81 7f 00 00 00 00 00 01 00 00 ff"),
	broken("bad octet in a long first fragment", "1007", "01 7f 00 00 00 00 00 01 00 00 48 c1"),
}

// RFC 7692, sections 6 and 7.2.
var compression = []exchange{
	legal("compressed", []string{"text Hello"}, "c1 07 f2 48 cd c9 c9 07 00").on(noTakeover),
	legal("compressed fragments", []string{"text Hello"}, "41 03 f2 48 cd", "80 04 c9 c9 07 00").on(noTakeover),
	legal("window taken over", []string{"text Hello", "text Hello"},
		"c1 07 f2 48 cd c9 c9 07 00", "c1 05 f2 00 11 00 00").on(withTakeover),
	legal("window taken over between other frames", []string{"text Hello", "binary 00", "text Hello"},
		"c1 07 f2 48 cd c9 c9 07 00", "89 01 31", "82 01 00", "41 02 f2 00", "89 01 32", "80 03 11 00 00").
		on(withTakeover).sends("pong 31", "pong 32"),
	legal("stored block", []string{"text Hello"}, "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00").on(noTakeover),
	legal("final block", []string{"text Hello"}, "c1 08 f3 48 cd c9 c9 07 00 00").on(noTakeover),
	legal("two blocks", []string{"text Hello"}, "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00").on(noTakeover),
	legal("compressed, the last fragment empty", []string{"text Hello"},
		"41 0b f2 48 cd c9 c9 07 00 00 00 ff ff", "80 01 00").on(noTakeover),
	legal("compressed empty message", []string{"text"}, "c1 01 00").on(noTakeover),
	legal("uncompressed though agreed", []string{"text Hello"}, hello).on(noTakeover),
	broken("window not taken over", "1007", "c1 05 f2 00 11 00 00").on(noTakeover),
	broken("RSV1 in a continuation", "1002", "41 03 f2 48 cd", "c0 04 c9 c9 07 00").on(noTakeover),
	broken("RSV1 in a later fragment alone", "1002", "02 03 f2 48 cd", "c0 04 c9 c9 07 00").on(noTakeover),
	broken("RSV1 in a ping", "1002", "c9 00").on(noTakeover),
	broken("RSV1 in a pong", "1002", "ca 00").on(noTakeover),
	broken("RSV1 in a close", "1002", "c8 00").on(noTakeover),
	broken("corrupt data", "1007", "c1 05 48 65 6c 6c 6f").on(noTakeover),
	broken("data cut", "1007", "c1 04 f2 48 cd c9").on(noTakeover),
	broken("no data at all", "1007", "c1 00").on(noTakeover),
	broken("compressed text that is not UTF-8", "1007", "c1 08 00 02 00 fd ff c0 af 00").on(noTakeover),
	broken("over the limit once inflated", "1009", bomb()).on(noTakeover),
}
