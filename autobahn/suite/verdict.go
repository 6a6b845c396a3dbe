package suite

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parleyws/parley/frame"
)

// A Behaviour is one half of a verdict, in the words of the suite's reports.
type Behaviour string

// The behaviours of a verdict. All but OK and Informational mean that the endpoint has
// not passed the case.
const (
	OK             Behaviour = "OK"
	NonStrict      Behaviour = "NON-STRICT"       // legal, but later than it should be
	Informational  Behaviour = "INFORMATIONAL"    // the RFC leaves it open
	Unimplemented  Behaviour = "UNIMPLEMENTED"    // the extension was not agreed to
	Failed         Behaviour = "FAILED"           // the answer is wrong, or came too late
	Unclean        Behaviour = "UNCLEAN"          // the closing handshake was not completed
	WrongCode      Behaviour = "WRONG CODE"       // the Close frame has another code
	FailedByClient Behaviour = "FAILED BY CLIENT" // the server should have dropped the connection
)

// A Verdict says how an endpoint did in one case.
type Verdict struct {
	Case           string // ID of the case
	Behaviour      Behaviour
	BehaviourClose Behaviour // how the connection ended
	Detail         string    // the difference between what was expected and what came; empty if there is none
}

// Passed reports whether both halves are OK or INFORMATIONAL.
func (v Verdict) Passed() bool {
	good := func(b Behaviour) bool { return b == OK || b == Informational }
	return good(v.Behaviour) && good(v.BehaviourClose)
}

// String returns the verdict on one line.
func (v Verdict) String() string {
	s := fmt.Sprintf("%s: %s, close %s", v.Case, v.Behaviour, v.BehaviourClose)
	if v.Detail != "" {
		s += ": " + v.Detail
	}
	return s
}

// An outcome holds all facts on which the verdict on a case depends.
type outcome struct {
	handshake error     // the opening handshake failed
	violation error     // the peer broke the protocol
	declined  bool      // the peer did not agree to the extension
	promise   string    // the parameter to which the peer should have agreed and did not
	events    []arrival // the events, in order
	missed    string    // the event that did not come within a wait of the script
	exchange  string    // the first difference between a message and its echo

	closedByUs bool        // the fuzzer started the closing handshake
	sentClose  bool        // the fuzzer has sent a Close frame
	peerClose  *closeFrame // the peer's Close frame; nil if none came
	behind     bool        // bytes came after the peer's Close frame
	late       bool        // the time of the case ran out
	dropped    bool        // the fuzzer had to end the stream
	end        error       // how the peer's stream ended; nil if it did not end
}

type closeFrame struct {
	code  frame.StatusCode
	empty bool // the Close frame had no payload
}

func (c *closeFrame) String() string {
	switch {
	case c == nil:
		return "no Close frame"
	case c.empty:
		return "Close without a code"
	default:
		return fmt.Sprintf("Close %d", c.code)
	}
}

// judge returns the verdict on c. client says that the fuzzer was the client.
func judge(c Case, mode Mode, client bool, o outcome) Verdict {
	v := Verdict{Case: c.ID}
	if err := first(o.handshake, o.violation); err != nil {
		v.Behaviour, v.BehaviourClose, v.Detail = Failed, Failed, err.Error()
		return v
	}
	var detail, closeDetail string
	v.Behaviour, detail = judgeEvents(c, mode, o)
	if mode == ModeSuite {
		v.BehaviourClose, closeDetail = judgeClose(c.ending, client, o)
	} else {
		v.BehaviourClose, closeDetail = judgeCloseStrictly(c.ending, o)
	}
	wrongSide := o.closedByUs == c.ending.byPeer
	if c.ending.codeFatal && v.BehaviourClose == WrongCode || c.ending.sideFatal && wrongSide {
		v.Behaviour = Failed
	}
	if c.informational {
		v.Behaviour = Informational
		if mode == ModeSuite || o.end != nil {
			v.BehaviourClose = Informational
		}
	}
	if !v.Passed() {
		v.Detail = strings.Trim(detail+"; "+closeDetail, "; ")
	}
	return v
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// judgeEvents compares the events that came with those that should have come.
func judgeEvents(c Case, mode Mode, o outcome) (Behaviour, string) {
	if o.declined {
		return Unimplemented, "permessage-deflate was not agreed to"
	}
	if mode == ModeStrict {
		if problem := strings.Trim(o.promise+"; "+o.missed, "; "); problem != "" {
			return Failed, problem
		}
	}
	if o.exchange != "" {
		return Failed, o.exchange
	}
	lengthOnly := c.lengthOnly && mode == ModeSuite
	switch {
	case same(o.events, c.ok, lengthOnly):
		return OK, ""
	case c.nonStrict != nil && same(o.events, c.nonStrict, lengthOnly):
		return NonStrict, fmt.Sprintf("expected %v, got %v", c.ok, o.events)
	default:
		return Failed, fmt.Sprintf("expected %v, got %v", c.ok, o.events)
	}
}

func same(got []arrival, want []event, lengthOnly bool) bool {
	return slices.EqualFunc(got, want, func(a arrival, e event) bool { return a.is(e, lengthOnly) })
}

// judgeClose judges the end as the suite does. The first fault that it finds counts.
func judgeClose(e ending, client bool, o outcome) (Behaviour, string) {
	// If the fuzzer is the server, it drops the connection itself.
	clean := o.peerClose != nil && o.sentClose && !(client && o.dropped)
	switch {
	case o.closedByUs == e.byPeer:
		return Failed, "the wrong side closed: " + o.ended()
	case !e.byPeer && !e.unclean && !clean:
		return Unclean, "the closing handshake was not completed: " + o.ended()
	case o.peerClose != nil && !o.peerClose.empty && !e.allows(o.peerClose.code):
		return WrongCode, fmt.Sprintf("expected Close with one of %d: %s", e.allowed(), o.ended())
	case client && o.dropped:
		return FailedByClient, "the server did not drop the connection: " + o.ended()
	default:
		return OK, ""
	}
}

// judgeCloseStrictly requires a Close frame with the right code from the right side, in
// time, followed by the end of the stream and no other bytes.
func judgeCloseStrictly(e ending, o outcome) (Behaviour, string) {
	switch {
	case o.closedByUs == e.byPeer:
		return Failed, "the wrong side closed: " + o.ended()
	case o.peerClose == nil:
		return Unclean, o.ended()
	case o.peerClose.empty && !e.noCode, !o.peerClose.empty && !e.allows(o.peerClose.code):
		return WrongCode, fmt.Sprintf("expected Close with one of %d: %s", e.allowed(), o.ended())
	case o.behind:
		return Failed, "octets behind the Close frame"
	case o.late || o.dropped || !errors.Is(o.end, io.EOF):
		return Unclean, "the stream did not end in time: " + o.ended()
	default:
		return OK, ""
	}
}

func (e ending) allowed() []frame.StatusCode {
	if e.codes == nil {
		return []frame.StatusCode{frame.StatusNormalClosure}
	}
	return e.codes
}

func (e ending) allows(code frame.StatusCode) bool { return slices.Contains(e.allowed(), code) }

// ended says how the connection ended.
func (o outcome) ended() string {
	s := "got " + o.peerClose.String()
	if o.closedByUs {
		s += " after ours"
	}
	switch {
	case o.dropped:
		s += ", no end of the stream in time"
	case o.end == nil:
		s += ", stream open"
	case errors.Is(o.end, io.EOF):
		s += ", end of the stream"
	default:
		s += ", " + o.end.Error()
	}
	if o.late {
		s += ", too late"
	}
	return s
}
