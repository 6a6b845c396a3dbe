package suite

import (
	"bytes"
	"fmt"
	"time"

	"github.com/parleyws/parley/frame"
)

// A filler is a payload: a pattern that is repeated and cut to a size. Tables hold
// fillers and not the bytes, because some cases have payloads of 16 MiB.
type filler struct {
	pattern string
	size    int // in bytes
}

func octets(s string) filler { return filler{pattern: s, size: len(s)} }

func (f filler) bytes() []byte {
	if f.size <= len(f.pattern) {
		return []byte(f.pattern[:f.size])
	}
	return bytes.Repeat([]byte(f.pattern), f.size/len(f.pattern)+1)[:f.size]
}

// A piece is a frame to send, legal or not, or a message that is cut into frames.
type piece struct {
	op       frame.Opcode
	more     bool // FIN is not set
	rsv      byte // the three reserved bits as a number, Rsv1 is 4
	data     filler
	fragment int // payload length of each frame; 0 means one frame
}

func text(s string) piece     { return piece{op: frame.Text, data: octets(s)} }
func binaryOf(s string) piece { return piece{op: frame.Binary, data: octets(s)} }
func cont(s string) piece     { return piece{op: frame.Continuation, data: octets(s)} }
func ping(s string) piece     { return piece{op: frame.Ping, data: octets(s)} }
func pong(s string) piece     { return piece{op: frame.Pong, data: octets(s)} }

// closing returns a Close frame with any code and reason, legal or not.
func closing(code frame.StatusCode, reason string) piece {
	return piece{op: frame.Close, data: octets(string([]byte{byte(code >> 8), byte(code)}) + reason)}
}

func (p piece) open() piece             { p.more = true; return p }
func (p piece) reserved(rsv byte) piece { p.rsv = rsv; return p }

// A sending says how the bytes of a step are written: burst, frameWise, or the greatest
// number of bytes in a write.
type sending int

const (
	burst     sending = 0  // all frames in one write
	frameWise sending = -1 // each frame in a write of its own
	octetWise sending = 1
)

// A step sends pieces and waits.
type step struct {
	pieces []piece
	how    sending
	cuts   []int // payload offsets at which the only piece is cut, with the wait at each

	await int           // the number of events, from the start, that must come before the next step
	wait  time.Duration // how long to wait for them; 0 means until the case ends
}

func send(how sending, pieces ...piece) []step {
	return []step{{pieces: pieces, how: how}}
}

// An event is a message or a control frame of the peer that matters for a case.
// Pings of the peer are answered and not recorded.
type event struct {
	kind kind
	op   frame.Opcode // opcode of a message
	data filler
}

type kind uint8

const (
	message kind = iota
	ponged
	waited // not sent by the peer: a wait of the script passed, and the connection is open
)

func echo(s string) event    { return event{op: frame.Text, data: octets(s)} }
func pongFor(s string) event { return event{kind: ponged, data: octets(s)} }
func echoOf(p piece) event   { return event{op: p.op, data: p.data} }
func pause() event           { return event{kind: waited} }

// events returns a list that is never nil. The empty list means that nothing
// may come back.
func events(e ...event) []event { return append([]event{}, e...) }

// An arrival is an event that came, or anything else that the reader found.
type arrival struct {
	event kind
	op    frame.Opcode
	data  []byte
}

// is reports whether a is e. If lengthOnly is set, it compares only the lengths
// of payloads.
func (a arrival) is(e event, lengthOnly bool) bool {
	if a.event != e.kind || a.op != e.op || len(a.data) != e.data.size {
		return false
	}
	return lengthOnly || bytes.Equal(a.data, e.data.bytes())
}

func (a arrival) String() string {
	switch a.event {
	case waited:
		return "wait over"
	case ponged:
		return "pong " + brief(a.data)
	default:
		return a.op.String() + " " + brief(a.data)
	}
}

func (e event) String() string {
	a := arrival{event: e.kind, op: e.op, data: e.data.bytes()}
	return a.String()
}

// brief describes p by its start and its length.
func brief(p []byte) string {
	const shown = 24
	if len(p) <= shown {
		return fmt.Sprintf("%q", p)
	}
	return fmt.Sprintf("%q... (%d bytes)", p[:shown], len(p))
}
