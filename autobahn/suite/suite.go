// Package suite plays the 517 cases of the Autobahn test suite against a WebSocket
// echo endpoint, as client or as server, over any net.Conn. This module's tests use
// it as the referee, so of the module's packages it uses only the frame header. It
// can test the echo endpoint of any library.
//
// The cases are those of autobahntestsuite 0.8.2 and 25.10.1, with the same names.
// Each can be judged in two ways. ModeSuite judges as that suite does: it accepts a
// bare end of the stream where the connection must fail, and compares only the
// lengths of large messages. ModeStrict requires the status code, compares every
// byte, waits for the end of the stream, and checks that the peer keeps to the window
// and the context takeover that it agreed to. Generated files of the same size and
// nature replace the suite's large data files. The cases of sections 12 and 13 send
// fewer messages unless Options says otherwise.
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
// The endpoint must send back every message with its opcode, accept messages of 16
// MiB, and close when the peer closes. For sections 12 and 13 it must agree to
// permessage-deflate. The waits of the cases are those of the suite, up to several
// seconds. In a testing/synctest bubble, over connections in memory, they cost
// nothing and no machine is too slow for them.
//
// # Concurrency
//
// Cases may be played at the same time, each on its own connection.
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
	ID    string // number of the case in the suite, such as "6.4.1"
	Title string // the messages or frames that are sent, in a few words

	steps     []step  // the pieces to send, and the waits between them
	ok        []event // the events that must come back, in this order
	nonStrict []event // the events that may come back instead; nil if none
	ending    ending
	limit     time.Duration // from the end of the handshake to the end of the case; 0 is one second

	asks          []ask    // permessage-deflate, in order of preference; nil means no extension
	traffic       *traffic // messages that go out one by one, instead of steps and ok
	lengthOnly    bool     // the suite compares only the lengths
	informational bool     // the RFC leaves the result open
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
	ModeStrict Mode = iota // codes, content and the end of the stream must be right
	ModeSuite              // judge as autobahntestsuite does
)

// Options configure how a case is played. A nil *Options means the zero value.
type Options struct {
	Mode Mode

	// Messages is the number of messages in the cases that send them one by one:
	// 9.7, 9.8, 12 and 13. Zero means 1,000 in section 9, as in the suite. In
	// sections 12 and 13 it means as many messages as pass over the data file
	// twice, at least 20 and at most 1,000.
	Messages int

	// MaskKey returns the masking key of the next frame, in RunServer. If it is nil,
	// each frame has a new random key.
	MaskKey func() [4]byte

	// Turn is called between two writes that the endpoint should read separately.
	// In a bubble it should be synctest.Wait. Nil means runtime.Gosched.
	Turn func()

	// Host and Target are the authority and the path that RunServer requests. If
	// they are empty, "localhost" and "/" are used.
	Host, Target string
}

// RunServer plays c as a client on nc, at whose other end an echo server runs. It
// returns when the connection has ended, and closes nc.
func RunServer(nc net.Conn, c Case, o *Options) Verdict {
	return run(nc, c, o, true)
}

// RunClient plays c as a server on nc, at whose other end an echo client begins its
// handshake. It returns when the connection has ended, and closes nc.
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

// An ending says how the connection must end. By the zero value the fuzzer sends
// Close 1000 and must get it back.
type ending struct {
	byPeer bool               // the peer fails the connection; otherwise the fuzzer closes
	codes  []frame.StatusCode // the codes that the peer's Close frame may have; nil means 1000
	noCode bool               // the peer's Close frame may have no code, in ModeStrict too

	unclean   bool // no closing handshake is needed, although the fuzzer closes
	codeFatal bool // a wrong code fails the case, and not only its close
	sideFatal bool // a close by the wrong side fails the case, and not only its close
}

var (
	// failed1002 is the end of a case in which the fuzzer breaks the protocol.
	failed1002 = ending{byPeer: true, codes: []frame.StatusCode{frame.StatusProtocolError}}
	// failed1007 is the end of a case in which text is not UTF-8.
	failed1007 = ending{byPeer: true, codes: []frame.StatusCode{frame.StatusInvalidPayload}, sideFatal: true}
)
