// Package suite plays the 517 cases of the Autobahn test suite against a
// WebSocket echo endpoint, as client or as server, over any net.Conn. It is
// the referee of this module's own tests and knows nothing of its packages but
// the frame header; any library's echo endpoint can be put at the other end.
//
// The cases are those of autobahntestsuite 0.8.2 and 25.10.1, by the same
// names. Each can be judged in two ways: ModeSuite as that suite does, which
// lets a bare end of the stream stand for a failed connection and believes
// lengths, and ModeStrict, which requires the status code, compares every octet,
// waits for the end of the stream, and holds the peer to the window and context
// takeover that it agreed to. Large data files are replaced by generated ones
// of the same size and nature, and the cases of sections 12 and 13 send fewer
// messages unless Options says otherwise.
//
//	for _, c := range suite.Cases() {
//		t.Run(c.ID, func(t *testing.T) {
//			nc := dialEchoServer(t)
//			if v := suite.RunServer(nc, c, nil); !v.Passed() {
//				t.Error(v)
//			}
//		})
//	}
//
// # What the endpoint must do
//
// Send back every message with its opcode, let messages of 16 MiB pass, close
// when the peer closes, and, for sections 12 and 13, agree to
// permessage-deflate. The waits of the cases are those of the suite, up to
// seconds: in a testing/synctest bubble, over connections in memory, they cost
// nothing and no machine is too slow for them.
//
// # Concurrency
//
// Cases may be played at the same time, each on a connection of its own.
package suite

import (
	"net"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/frame"
)

// A Case is one case of the suite.
type Case struct {
	ID    string // as the suite numbers it, "6.4.1"
	Title string // what is sent, in a few words

	steps     []step  // what to send, and what to wait for between
	ok        []event // what must come back, in this order
	nonStrict []event // what may come back instead; nil: nothing
	ending    ending
	limit     time.Duration // from the end of the handshake to the end of the case; 0 is one second

	asks          []ask    // permessage-deflate, in order of preference; nil: no extension
	traffic       *traffic // instead of steps and ok: messages that go out one by one
	lengthOnly    bool     // the suite compares the lengths alone
	informational bool     // there is no right or wrong
}

// Cases returns the 517 cases in the order of the suite.
func Cases() []Case { return slices.Clone(cases()) }

var cases = sync.OnceValue(func() []Case {
	return slices.Concat(framing(), pings(), reservedBits(), opcodes(), fragmentation(),
		utf8Cases(), closeHandling(), limits(), compression())
})

// A Mode says how strictly the endpoint is judged.
type Mode uint8

// The two ways to judge.
const (
	ModeStrict Mode = iota // codes, content and the end of the stream are required
	ModeSuite              // as autobahntestsuite does
)

// Options are the circumstances of a case. A nil *Options is the zero value.
type Options struct {
	Mode Mode

	// Messages is how many messages a case sends that sends them one by one: those
	// of 9.7, 9.8, 12 and 13. Zero is the 1,000 of the suite in section 9, and in
	// the others as many as pass over the data file twice, at least 20 and at most
	// 1,000.
	Messages int

	// MaskKey returns the masking key of the next frame, in RunServer. Nil is a
	// new key each time.
	MaskKey func() [4]byte

	// Turn is called between two writes that the endpoint should see as two:
	// synctest.Wait in a bubble. Nil is runtime.Gosched.
	Turn func()

	// Host and Target are the authority and the path that RunServer asks for.
	// Empty is "localhost" and "/".
	Host, Target string
}

// RunServer plays c as a client on nc, whose other end an echo server holds,
// and closes nc. It returns when the connection has ended.
func RunServer(nc net.Conn, c Case, o *Options) Verdict {
	return run(nc, c, o, true)
}

// RunClient plays c as a server on nc, whose other end an echo client holds
// that is about to send its handshake, and closes nc. It returns when the
// connection has ended.
func RunClient(nc net.Conn, c Case, o *Options) Verdict {
	return run(nc, c, o, false)
}

func run(nc net.Conn, c Case, o *Options, client bool) Verdict {
	if o == nil {
		o = &Options{}
	}
	f := newFuzzer(nc, c, o, client)
	f.run()
	return judge(c, o.Mode, client, f.outcome)
}

// An ending says how the connection must end. The zero value: the fuzzer sends
// Close 1000 and wants it back.
type ending struct {
	byPeer bool               // the peer fails the connection; otherwise the fuzzer closes
	codes  []frame.StatusCode // what the Close frame of the peer may say; nil: 1000
	noCode bool               // strictly too, it may say nothing

	unclean   bool // no closing handshake is needed though the fuzzer closes
	codeFatal bool // a wrong code is a failed case, not only a wrong close
	sideFatal bool // so is a close by the wrong side
}

var (
	// failed1002 is the end of a case in which the fuzzer breaks the protocol.
	failed1002 = ending{byPeer: true, codes: []frame.StatusCode{frame.StatusProtocolError}}
	// failed1007 is the end of a case in which text is not UTF-8.
	failed1007 = ending{byPeer: true, codes: []frame.StatusCode{frame.StatusInvalidPayload}, sideFatal: true}
)
