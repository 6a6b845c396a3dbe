package suite

import (
	"errors"
	"io"
	"testing"

	"github.com/parleyws/parley/frame"
)

// The verdicts in ModeSuite, and those in ModeStrict where they differ.
func TestJudge(t *testing.T) {
	normal := &closeFrame{code: frame.StatusNormalClosure}
	broken := &closeFrame{code: frame.StatusProtocolError}
	hello := arrival{op: frame.Text, data: []byte("hi")}
	echoing := Case{ok: events(echo("hi"))}
	failing := Case{ending: failed1002, nonStrict: events()}
	failing.ok = events(echo("hi"))
	coded := Case{ending: ending{codeFatal: true}}
	textual := Case{ending: failed1007}
	good := outcome{events: []arrival{hello}, closedByUs: true, sentClose: true, peerClose: normal, end: io.EOF}
	failed := outcome{events: []arrival{hello}, sentClose: true, peerClose: broken, end: io.EOF}
	with := func(o outcome, change func(*outcome)) outcome { change(&o); return o }
	for _, tt := range []struct {
		name          string
		c             Case
		o             outcome
		suite, strict [2]Behaviour
	}{
		{"good", echoing, good, [2]Behaviour{OK, OK}, [2]Behaviour{OK, OK}},
		{"must fail, has", failing, failed, [2]Behaviour{OK, OK}, [2]Behaviour{OK, OK}},
		{"no echo", echoing, with(good, func(o *outcome) { o.events = nil }),
			[2]Behaviour{Failed, OK}, [2]Behaviour{Failed, OK}},
		{"echo twice", echoing, with(good, func(o *outcome) { o.events = []arrival{hello, hello} }),
			[2]Behaviour{Failed, OK}, [2]Behaviour{Failed, OK}},
		{"no echo before the failure", failing, with(failed, func(o *outcome) { o.events = nil }),
			[2]Behaviour{NonStrict, OK}, [2]Behaviour{NonStrict, OK}},
		{"other content, the length counts", Case{ok: events(echo("ho")), lengthOnly: true}, good,
			[2]Behaviour{OK, OK}, [2]Behaviour{Failed, OK}},
		{"handshake", echoing, outcome{handshake: io.EOF}, [2]Behaviour{Failed, Failed}, [2]Behaviour{Failed, Failed}},
		{"protocol broken", echoing, with(good, func(o *outcome) { o.violation = errBroken }),
			[2]Behaviour{Failed, Failed}, [2]Behaviour{Failed, Failed}},
		{"declined", echoing, with(good, func(o *outcome) { o.declined = true }),
			[2]Behaviour{Unimplemented, OK}, [2]Behaviour{Unimplemented, OK}},
		{"promise", echoing, with(good, func(o *outcome) { o.promise = "no window" }),
			[2]Behaviour{OK, OK}, [2]Behaviour{Failed, OK}},
		{"missed", echoing, with(good, func(o *outcome) { o.missed = "no pong" }),
			[2]Behaviour{OK, OK}, [2]Behaviour{Failed, OK}},
		{"wrong side", failing, with(failed, func(o *outcome) { o.closedByUs = true }),
			[2]Behaviour{OK, Failed}, [2]Behaviour{OK, Failed}},
		{"wrong side, text", textual, outcome{closedByUs: true, sentClose: true, peerClose: normal, end: io.EOF},
			[2]Behaviour{Failed, Failed}, [2]Behaviour{Failed, Failed}},
		{"no Close frame", echoing, with(good, func(o *outcome) { o.peerClose = nil }),
			[2]Behaviour{OK, Unclean}, [2]Behaviour{OK, Unclean}},
		{"bare end of the stream", failing, with(failed, func(o *outcome) { o.peerClose = nil }),
			[2]Behaviour{OK, OK}, [2]Behaviour{OK, Unclean}},
		{"wrong code", echoing, with(good, func(o *outcome) { o.peerClose = broken }),
			[2]Behaviour{OK, WrongCode}, [2]Behaviour{OK, WrongCode}},
		{"wrong code, fatal", coded, with(good, func(o *outcome) { o.peerClose, o.events = broken, nil }),
			[2]Behaviour{Failed, WrongCode}, [2]Behaviour{Failed, WrongCode}},
		{"no code", echoing, with(good, func(o *outcome) { o.peerClose = &closeFrame{empty: true} }),
			[2]Behaviour{OK, OK}, [2]Behaviour{OK, WrongCode}},
		{"octets behind", failing, with(failed, func(o *outcome) { o.behind = true }),
			[2]Behaviour{OK, OK}, [2]Behaviour{OK, Failed}},
		{"reset", failing, with(failed, func(o *outcome) { o.end = errors.New("reset") }),
			[2]Behaviour{OK, OK}, [2]Behaviour{OK, Unclean}},
		{"stream left open", failing, with(failed, func(o *outcome) { o.end, o.dropped, o.late = nil, true, true }),
			[2]Behaviour{OK, FailedByClient}, [2]Behaviour{OK, Unclean}},
		{"stream left open behind a good case", echoing, with(good, func(o *outcome) { o.end, o.dropped, o.late = nil, true, true }),
			[2]Behaviour{OK, Unclean}, [2]Behaviour{OK, Unclean}},
		{"informational", Case{informational: true}, with(good, func(o *outcome) { o.peerClose = broken }),
			[2]Behaviour{Informational, Informational}, [2]Behaviour{Informational, Informational}},
		{"informational, stream left open", Case{informational: true}, with(good, func(o *outcome) { o.end, o.dropped = nil, true }),
			[2]Behaviour{Informational, Informational}, [2]Behaviour{Informational, Unclean}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for mode, want := range map[Mode][2]Behaviour{ModeSuite: tt.suite, ModeStrict: tt.strict} {
				v := judge(tt.c, mode, true, tt.o)
				if got := [2]Behaviour{v.Behaviour, v.BehaviourClose}; got != want {
					t.Errorf("mode %d: got %q, want %q: %s", mode, got, want, v.Detail)
				}
				if v.Passed() != (v.Detail == "") {
					t.Errorf("mode %d: %v has the detail %q", mode, v, v.Detail)
				}
			}
		})
	}
}

// If the fuzzer is the server, it drops the connection itself.
func TestJudgeClient(t *testing.T) {
	o := outcome{closedByUs: true, sentClose: true, peerClose: &closeFrame{code: 1000}, dropped: true}
	if v := judge(Case{}, ModeSuite, false, o); !v.Passed() {
		t.Error(v)
	}
	if v := judge(Case{}, ModeStrict, false, o); v.BehaviourClose != Unclean {
		t.Error(v)
	}
}
