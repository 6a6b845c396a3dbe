package adaptertest

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/socketio"
)

func TestMain(m *testing.M) {
	if fault != "" {
		os.Exit(m.Run()) // it may leave what it likes
	}
	leakcheck.Main(m)
}

// fault is set where the tests run a second time, with an adapter that is broken.
var fault = os.Getenv("PARLEY_ADAPTERTEST_FAULT")

// suite is that of a bus.
func suite() Suite {
	s := Suite{Cluster: func(*testing.T) func() Factory {
		b := &bus{fault: fault}
		return func() Factory { return b.attach }
	}}
	if fault != "" {
		s.patience, s.Messages = time.Second, 200
	}
	return s
}

// An adapter that does everything passes.
func TestRun(t *testing.T) { Run(t, suite()) }

// Each fault of an adapter is found, by the test that is meant to find it.
func TestBroken(t *testing.T) {
	if fault != "" {
		t.Skip("it runs itself")
	}
	for name, test := range map[string]string{
		"loses events":            "Order",
		"doubles events":          "Order",
		"changes the order":       "Order",
		"loses server events":     "ServerSideEmit",
		"echoes":                  "Targets",
		"ignores Except":          "Targets",
		"ignores Rooms":           "Targets",
		"delivers room by room":   "Targets",
		"takes rooms for numbers": "RoomNames",
		"ignores case":            "RoomNames",
		"loses octets":            "Payloads",
		"keeps octets":            "Payloads",
		"changes text":            "Payloads",
		"loses big messages":      "BigMessages",
		"forgets Volatile":        "Volatile",
		"forgets Uncompress":      "Compress",
		"expects too many":        "Calls",
		"does not wait":           "Calls",
		"loses answers":           "Calls",
		"answers twice":           "Calls",
		"loses octets of answers": "Calls",
		"ignores ctx":             "CallsUnanswered",
		"mixes answers":           "CallsAtOnce",
		"does not join":           "Join",
		"does not leave":          "Join",
		"emits before it joins":   "JoinThenEmit",
		"leaves connections open": "Disconnect",
		"disconnects all":         "Disconnect",
		"forgets a socket":        "Fetch",
		"fetches twice":           "Fetch",
		"forgets data":            "Fetch",
		"forgets rooms":           "Fetch",
		"forgets handshakes":      "Fetch",
		"does not know rooms":     "Rooms",
		"mixes namespaces":        "Namespaces",
		"counts the dead":         "NodeLeaves",
		"waits for the dead":      "NodeLeaves",
		"goes on":                 "Closed",
		"leaves a goroutine":      "OneNode",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := exec.Command(os.Args[0], "-test.run=^TestRun$/^"+test+"$", "-test.timeout=5m")
			c.Env = append(os.Environ(), "PARLEY_ADAPTERTEST_FAULT="+name)
			out, err := c.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestRun/"+test) {
				t.Errorf("%s has not found it: %v\n%s", test, err, out)
			}
			if testing.Verbose() {
				t.Logf("%.1500s", out)
			}
		})
	}
}

// event returns a copy of an event, as others get it.
func (b *bus) event(e socketio.Encoded) socketio.Encoded {
	c := clone(e)
	switch b.fault {
	case "loses octets":
		for i := range c.Attachments {
			c.Attachments[i] = []byte{}
		}
	case "keeps octets":
		c.Attachments = e.Attachments
	case "changes text":
		c.Data = bytes.ReplaceAll(c.Data, []byte("€"), []byte("?"))
	}
	return c
}

// targets returns the target or targets of an event.
func (b *bus) targets(t socketio.Target) []socketio.Target {
	t.Rooms = slices.Clone(t.Rooms)
	switch b.fault {
	case "ignores Except":
		t.Except = nil
	case "ignores Rooms":
		t.Rooms = nil
	case "forgets Volatile":
		t.Flags.Volatile = false
	case "forgets Uncompress":
		t.Flags.Uncompress = false
	case "takes rooms for numbers":
		for i, room := range t.Rooms {
			if room == "1e3" {
				t.Rooms[i] = "1000"
			}
		}
	case "ignores case":
		for i, room := range t.Rooms {
			t.Rooms[i] = strings.Replace(room, "Room", "room", 1)
		}
	case "delivers room by room":
		var list []socketio.Target
		for _, room := range t.Rooms {
			list = append(list, socketio.Target{Rooms: []string{room}, Except: t.Except, Flags: t.Flags})
		}
		if len(list) > 0 {
			return list
		}
	}
	return []socketio.Target{t}
}

// order returns what is done when send is to be done: send, or something else.
func (b *bus) order(send func(), m *member, size int) []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.held
	m.held = nil
	if held != nil {
		return []func(){send, held}
	}
	if b.sent%100 == 50 || b.is("loses big messages") && size > 500_000 {
		switch b.fault {
		case "loses events", "loses server events", "loses big messages":
			return nil
		case "doubles events":
			return []func(){send, send}
		case "changes the order":
			m.held = send
			return nil
		}
	}
	return []func(){send}
}

// answer returns an answer as it comes.
func (b *bus) answer(e socketio.Encoded) socketio.Encoded {
	if b.is("loses octets of answers") {
		for i := range e.Attachments {
			e.Attachments[i] = nil
		}
	}
	return e
}

// replies are those of a call.
func (b *bus) replies(r socketio.Replies, m *member) socketio.Replies {
	m.mu.Lock()
	defer m.mu.Unlock()
	other := cmp.Or(m.other, r)
	m.other = r
	return &replies{r, other, b}
}

type replies struct {
	socketio.Replies
	other socketio.Replies // of the call before
	bus   *bus
}

func (r *replies) Expect(n int) {
	if r.bus.is("expects too many") {
		n++
	}
	r.Replies.Expect(n)
}

func (r *replies) Reply(e socketio.Encoded) {
	switch r.bus.fault {
	case "loses answers":
		return
	case "answers twice":
		r.Replies.Reply(e)
	case "mixes answers":
		r.other.Reply(e)
		return
	}
	r.Replies.Reply(e)
}

// sockets are those that Fetch returns.
func (b *bus) sockets(list []socketio.RemoteSocket) []socketio.RemoteSocket {
	switch b.fault {
	case "forgets a socket":
		return list[:max(0, len(list)-1)]
	case "fetches twice":
		return append(list, list...)
	}
	for i := range list {
		switch b.fault {
		case "forgets data":
			list[i].Data = nil
		case "forgets rooms":
			list[i].Rooms = list[i].Rooms[:1]
		case "forgets handshakes":
			list[i].Handshake = socketio.Handshake{}
		}
	}
	return list
}

func TestDifference(t *testing.T) {
	got := difference([]string{"a", "b", "c"}, []string{"a", "c"})
	for _, want := range []string{"3 events, want 2", "from the 2. on", "got  b", "want c", "got  c"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
}

func TestLine(t *testing.T) {
	type pair struct{ a, b any }
	for _, same := range []pair{{1, 1.0}, {int64(5), uint8(5)}, {map[string]any{"a": 1, "b": 2}, map[string]any{"b": 2.0, "a": 1.0}}} {
		if a, b := line("x", same.a), line("x", same.b); a != b {
			t.Errorf("%v and %v: %s, %s", same.a, same.b, a, b)
		}
	}
	for _, differ := range []pair{
		{nil, 0}, {"1", 1}, {"", nil}, {[]byte("a"), "a"}, {[]byte{}, ""}, {[]any{}, map[string]any{}}, {[]any{1, 2}, []any{12}},
		{text(300), text(301)}, {octets(40), octets(41)}, {true, "true"}, {[]any{nil}, []any{}},
	} {
		if a, b := line("x", differ.a), line("x", differ.b); a == b {
			t.Errorf("%v and %v: both %s", differ.a, differ.b, a)
		}
	}
}
