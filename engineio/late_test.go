package engineio

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/wstest"
)

// Packets that come after the end, from a request that was being handled, change
// nothing of what the client's last GET gets, and the receiver is told of none.
func TestPacketsAfterTheEnd(t *testing.T) {
	for _, codec := range []*packet.Codec{packet.V4, packet.V3} {
		server, err := NewServer(func(*Session) Receiver { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(server, "id", codec, httptest.NewRequest("GET", "/", nil), nil)
		r := &carrier{s: s}
		s.receiver = r
		s.queue = []*Message{noopMessage}
		s.endLater(closedBetween, closeMessage)
		for _, late := range []packet.Type{codec.Beat, packet.Message, packet.Message, packet.Close, packet.Noop} {
			if s.handle(packet.Packet{Type: late}) {
				t.Errorf("version %d: %v was handled", codec.Version, late)
			}
		}
		if len(r.carried) > 0 {
			t.Errorf("version %d: the receiver got %d messages after the end", codec.Version, len(r.carried))
		}
		if got := s.leave(); len(got) != 2 || got[0] != noopMessage || got[1] != closeMessage {
			t.Errorf("version %d: %d messages are left, want the two that there were", codec.Version, len(got))
		}
	}
}

// Requests and WebSockets that come late, when a WebSocket carries the session or when it is
// over, find nothing of long-polling, and change nothing.
func TestLateRequests(t *testing.T) {
	for _, over := range []bool{false, true} {
		server, err := NewServer(func(*Session) Receiver { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, peer := wstest.Pipe(nil)
		s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), c)
		want := badRequest
		if over {
			s.end(closedHere)
			want = unknownSession
		}
		if a, p := s.poll(time.Now()); p != nil || a.refusal != want {
			t.Errorf("over %v: a GET is answered %v, want %v", over, a.refusal, want)
		}
		if got := s.beginPost(packet.V4.Text); got != want {
			t.Errorf("over %v: a POST is answered %v, want %v", over, got, want)
		}
		if got := s.partWith(packet.V4.Text, []byte("1")); got != unknownSession {
			t.Errorf("over %v: a last POST is answered %v, want %v", over, got, unknownSession)
		}
		s.posted()
		s.probed(peer, conn.Message{Type: conn.Text, Payload: []byte("5")})
		s.lost(peer, ErrClosed)
		s.dismiss()
		if got := s.state == closed; got != over {
			t.Errorf("over %v: the session has ended: %v", over, got)
		}
		s.end(closedHere)
		if left := s.leave(); len(left) > 0 {
			t.Errorf("over %v: %d messages are left", over, len(left))
		}
		peer.CloseNow()
		<-c.Done()
	}
}

// A session may end between any two packets of a POST. Those that follow are dropped, noops among
// them, and the POST is answered as ever.
func TestEndAmongPackets(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, &Options{Limits: Limits{MaxPayload: -1}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(server, "id", packet.V3, httptest.NewRequest("GET", "/", nil), nil)
	_, get := s.poll(time.Now())
	ended := make(chan bool)
	go func() {
		<-get.answer // the pong: the POST is being handled
		s.lose(closedHere)
		close(ended)
	}()
	w := httptest.NewRecorder()
	s.post(w, httptest.NewRequest("POST", "/", strings.NewReader("1:2"+strings.Repeat("1:6", 1<<20)))) // enough for the end to come meanwhile
	if w.Code != 200 || w.Body.String() != "ok" {
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
	<-ended
}

// A session whose client was silent for too long is over for whatever comes next, even if its
// clock has yet to ring.
func TestOverdue(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, over := range map[string]func(s *Session) bool{
		"GET":                                    func(s *Session) bool { a, _ := s.poll(time.Now()); return a.refusal == unknownSession },
		"POST":                                   func(s *Session) bool { return s.beginPost(packet.V4.Text) == unknownSession },
		"a body, or a WebSocket that is to open": (*Session).gone,
	} {
		s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), nil)
		s.beat.beat = momentOf(time.Now())
		if !over(s) {
			t.Errorf("%s finds a session", name)
		}
	}
}

// A carrier is a Receiver that notes whether a WebSocket has brought the message.
type carrier struct {
	nobody
	s       *Session
	carried []bool
}

func (c *carrier) Message([]byte, bool) { c.carried = append(c.carried, c.s.carried) }

// A POST that was begun before the WebSocket carries the session is no message of that, whatever
// comes first.
func TestCarried(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, peer := wstest.Pipe(nil)
	s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), c)
	r := &carrier{s: s}
	s.receiver = r
	s.received(c, conn.Message{Type: conn.Text, Payload: []byte("4a")})
	s.handleBody(packet.V4.Text, []byte("4b"))
	if !slices.Equal(r.carried, []bool{true, false}) {
		t.Errorf("carried: %v", r.carried)
	}
	s.lose(closedHere)
	peer.CloseNow()
	<-c.Done()
}

// The open packet of a server is bounded.
func TestOpeningSize(t *testing.T) {
	const open = `{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}`
	for size, fits := range map[int]bool{maxOpening: true, maxOpening + 1: false} {
		data := open + strings.Repeat(" ", size-len(open))
		if _, err := parseOpening([]byte(data)); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for size, fits := range map[int]bool{0: false, 1: true, 1024: true, 1025: false} {
		data := strings.Replace(open, `"x"`, `"`+strings.Repeat("x", size)+`"`, 1)
		if _, err := parseOpening([]byte(data)); (err == nil) != fits {
			t.Errorf("a sid of %d bytes: %v", size, err)
		}
	}
}

// A moment that has passed is none any more. In a bubble all moments come before the process has
// begun, so this is tested outside.
func TestMomentsEnd(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, peer := wstest.Pipe(nil)
	s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), nil)
	s.attach(c)
	s.mu.Lock()
	now := time.Now()
	for _, waiting := range []*poll{nil, {make(chan answer, 1)}} {
		s.waiting, s.release = waiting, momentOf(now)
		if s.expireRequests(now); s.release != 0 {
			t.Errorf("a GET is released again at %d", s.release)
		}
	}
	s.release = momentOf(now)
	if s.dropProbe(); s.probe != 0 || s.release != 0 {
		t.Errorf("a WebSocket that was dropped is dropped at %d, and a GET released at %d", s.probe, s.release)
	}
	if s.endLater(closedBetween, closeMessage); s.forget == 0 || moment(s.alarm) != s.forget {
		t.Errorf("the clock rings at %d for what is due at %d", s.alarm, s.forget)
	}
	if s.leave(); s.alarm != 0 {
		t.Errorf("the clock rings at %d for a session that was forgotten", s.alarm)
	}
	s.mu.Unlock()
	peer.CloseNow()
	<-c.Done()
}

// Neither is that of a client.
func TestClientMomentsEnd(t *testing.T) {
	o, err := (*DialOptions)(nil).resolve()
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(&web{o: o})
	ws, peer := wstest.Pipe(nil)
	c.mu.Lock()
	c.state, c.probing, c.probe = probing, ws, momentOf(time.Now())
	if c.dropProbe(errProbe); c.probe != 0 || c.state != polling || c.probing != nil {
		t.Errorf("a WebSocket that was dropped is dropped at %d, and kept: %t", c.probe, c.probing != nil)
	}
	c.mu.Unlock()
	<-ws.Done()
	peer.CloseNow()
	<-peer.Done()
}

// A WebSocket that is probed for too long makes room for the next one, though the clock has not
// rung for it yet. What has still come from the first one changes nothing then, nor does its end.
func TestLateProbe(t *testing.T) {
	s := newPolling(t, Limits{})
	first, firstPeer := wstest.Pipe(nil)
	second, secondPeer := wstest.Pipe(nil)
	s.attach(first)
	s.mu.Lock()
	s.probe = momentOf(time.Now())
	s.mu.Unlock()
	s.attach(second)
	for name, late := range map[string]func(){
		"nothing":   func() {},
		"2probe":    func() { s.received(first, conn.Message{Type: conn.Text, Payload: []byte("2probe")}) },
		"a message": func() { s.received(first, conn.Message{Type: conn.Text, Payload: []byte("4a")}) },
		"5":         func() { s.received(first, conn.Message{Type: conn.Text, Payload: []byte("5")}) },
		"the end":   func() { s.lost(first, ErrClosed) },
	} {
		late()
		s.mu.Lock()
		if s.probing != second || s.state != probing || s.ws.Load() != nil {
			t.Errorf("after %s of the first WebSocket the second one is not probed", name)
		}
		s.mu.Unlock()
	}
	for _, c := range []*conn.Conn{firstPeer, secondPeer, first, second} {
		c.CloseNow()
		<-c.Done()
	}
}

// A session that ends because its ping does not fit into the queue awaits no pong. If it did, the
// clock would ring for that without end.
func TestPingTooMuch(t *testing.T) {
	s := newPolling(t, Limits{QueueBytes: 512})
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 4 { // one more than the queue has room for
		s.control(pingMessage)
	}
	now := time.Now()
	s.beat.ping = momentOf(now)
	if s.expire(now); s.why != lagging {
		t.Fatalf("the session has ended: %v, want %v", s.why, lagging)
	}
	if s.beat != (heartbeat{}) || s.alarm != 0 {
		t.Errorf("after the end the heart beats on: %+v, and the clock rings at %d", s.beat, s.alarm)
	}
}
