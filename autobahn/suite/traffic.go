package suite

import (
	"bytes"
	"fmt"

	"github.com/parleyws/parley/frame"
)

// suiteMessages is the number of messages of a case with traffic in the suite.
const suiteMessages = 1000

// A traffic is a series of messages. Each is sent when the echo of the one before has
// come.
type traffic struct {
	same piece // the message, if all are the same

	data     source // otherwise the file from which the messages are cut
	size     int    // size of a message, in bytes, or in code points for text
	fragment int    // compressed bytes in a frame; 0 means one frame
}

// messages returns how many messages are sent.
func (t *traffic) messages(o *Options) int {
	switch {
	case o.Messages > 0:
		return o.Messages
	case t.data.file == nil:
		return suiteMessages
	}
	const atLeast = 5
	once := (t.data.file().units() + t.size - 1) / t.size
	return min(max(once, atLeast), suiteMessages)
}

// converse sends all messages and compares the echoes. It leaves the closing to settle.
func (f *fuzzer) converse(t *traffic) {
	if f.declined {
		return
	}
	op, payload := t.same.op, t.same.data.bytes()
	count := t.messages(f.o)
	for i := range count {
		if t.data.file != nil {
			op, payload = t.data.op, t.data.file().slice(payload[:0], i*t.size, t.size)
		}
		f.sendData(op, payload, t.fragment)
		for len(f.events) == 0 && !f.over && f.peerClose == nil {
			if !f.next(f.deadline) {
				f.late = true
				f.exchange = fmt.Sprintf("no echo of message %d of %d in time", i+1, count)
				f.close(frame.StatusGoingAway)
				return
			}
		}
		if problem := f.compare(op, payload); problem != "" {
			f.exchange = fmt.Sprintf("message %d of %d: %s", i+1, count, problem)
			return
		}
		f.events = f.events[1:]
	}
}

// compare looks at the first event, which should be the echo of payload.
func (f *fuzzer) compare(op frame.Opcode, payload []byte) string {
	if len(f.events) == 0 {
		return "the connection ended before the echo"
	}
	got := f.events[0]
	if got.event != message || got.op != op || len(got.data) != len(payload) {
		return fmt.Sprintf("expected an echo of %d bytes, got %v", len(payload), got)
	}
	if f.c.lengthOnly && f.o.Mode == ModeSuite {
		return ""
	}
	if !bytes.Equal(got.data, payload) {
		return fmt.Sprintf("the echo differs: expected %s, got %v", brief(payload), got)
	}
	return ""
}

// sendData sends a message. It compresses the message if compression was agreed.
func (f *fuzzer) sendData(op frame.Opcode, payload []byte, fragment int) {
	var rsv byte
	if f.agreed != nil {
		if f.squash == nil {
			f.squash = newDeflater(f.agreed.toPeer)
		}
		payload, rsv = f.squash.message(payload), 4
	}
	f.cut(op, rsv, false, payload, fragment, burst)
	f.flush(burst)
}
