package engineio

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A GET that the client cuts ends the session, also if messages were on their
// way to it; one that an upgrade has refused is nothing to the session.
func TestAbandonedGET(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *Session)
		lives  bool
		want   *Refusal
	}{
		{"waiting", func(*Session) {}, false, unknownSession},
		{"answered", func(s *Session) { s.Send(NewMessage([]byte("a"), false)) }, false, unknownSession},
		{"refused by an upgrade", func(s *Session) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.answer(answer{refusal: badRequest})
		}, true, badRequest},
	} {
		server, err := NewServer(func(*Session) Receiver { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), nil)
		_, p := s.poll(time.Now())
		tt.before(s)
		if got := s.abandonPoll(p); got != tt.want {
			t.Errorf("%s: refused with %v, want %v", tt.name, got, tt.want)
		}
		if got := s.state != closed; got != tt.lives {
			t.Errorf("%s: the session lives: %v, want %v", tt.name, got, tt.lives)
		}
		if s.end(closedHere); server.holds != 1 { // and its timer; nobody has told the receiver, which it has not got
			t.Errorf("%s: Shutdown waits for %d, want 1", tt.name, server.holds)
		}
	}
}

// A GET whose context ends is not answered 200 with an empty body, as net/http does if a
// handler just returns: a client that is still there would find no packet in it, and a log
// would take it for a success.
func TestCutGETRefused(t *testing.T) {
	s := newPolling(t, Limits{})
	ctx, cut := context.WithCancel(t.Context())
	cut()
	w := httptest.NewRecorder()
	s.get(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if want := `{"code":1,"message":"Session ID unknown"}`; !s.ended() || w.Code != 400 || w.Body.String() != want {
		t.Errorf("the session has ended: %v; answered %d %q", s.ended(), w.Code, w.Body)
	}
}

// A flushed writer notes whether a GET was answered when its response was
// flushed.
type flushed struct {
	*httptest.ResponseRecorder
	get      *poll
	answered []bool
}

func (f *flushed) Flush() { f.answered = append(f.answered, len(f.get.answer) > 0) }

// A client whose body is too long learns that before its waiting GET tells it
// that the session is closed.
func TestTooLongBeforeClosed(t *testing.T) {
	s := newPolling(t, Limits{MaxPayload: 1000})
	_, get := s.poll(time.Now())
	w := &flushed{ResponseRecorder: httptest.NewRecorder(), get: get}
	s.post(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("4", 1001))))
	if w.Code != 413 || len(w.answered) != 1 || w.answered[0] {
		t.Errorf("answered %d, flushed %v", w.Code, w.answered)
	}
	if a := <-get.answer; len(a.messages) != 1 || a.messages[0] != closeMessage {
		t.Errorf("the GET got %+v", a)
	}
}

// What the end of a WebSocket says of the client, and what of a session's id is
// shown.
func TestLossOf(t *testing.T) {
	if got := lossOf(conn.ErrQueueFull); got != lagging {
		t.Errorf("%+v", got)
	}
	if got := lossOf(&frame.Error{Code: frame.StatusProtocolError}); got.reason != TransportError || got.level != slog.LevelInfo || got.limit != nil {
		t.Errorf("%+v", got)
	}
	for _, id := range []string{"", "short", "seventeen-letters"} {
		if got := shortID(id); got != "?" {
			t.Errorf("%q is shown as %q", id, got)
		}
	}
	if got := shortID("eighteen-letters--"); got != "eighte..." {
		t.Errorf("an id is shown as %q", got)
	}
}

// The server forgets a session that has ended.
func TestForgotten(t *testing.T) {
	var s *Session
	server, err := NewServer(func(n *Session) Receiver { s = n; return nobody{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
	if server.session(s.ID()) != s {
		t.Fatal("the session is not known")
	}
	s.lose(getCut)
	if len(server.sessions) != 0 {
		t.Errorf("%d sessions are known after the end", len(server.sessions))
	}
}

// A GET that is cut just when it is told of the end does not keep Shutdown waiting.
func TestAbandonedFarewell(t *testing.T) {
	s := newPolling(t, Limits{})
	s.receiver = nobody{}
	_, get := s.poll(time.Now())
	s.Close()
	s.abandonPoll(get)
	if n := s.server.holds; n != 0 {
		t.Errorf("Shutdown waits for %d things", n)
	}
}

type nobody struct{}

func (nobody) Message([]byte, bool) {}
func (nobody) Closed(Reason)        {}

// A response is a refusal only if it has both of its parts.
func TestResponseError(t *testing.T) {
	for body, refusal := range map[string]bool{
		`{"code":1,"message":"a"}`: true, `{"code":1}`: false, `{"message":"a"}`: false, `{}`: false, `[`: false, "": false,
	} {
		e := responseError("GET", 400, []byte(body), "status")
		if (e.Refusal != nil) != refusal || !refusal && e.Reason != "status" {
			t.Errorf("%s: %+v", body, e)
		}
	}
}

// The Close frame says whether the client is to blame.
func TestCloseCode(t *testing.T) {
	for reason, want := range map[Reason]frame.StatusCode{
		ParseError: frame.StatusPolicyViolation, TransportError: frame.StatusPolicyViolation,
		ServerShuttingDown: frame.StatusGoingAway, ForcedClose: frame.StatusNormalClosure, PingTimeout: frame.StatusNormalClosure,
	} {
		if got := (&cause{reason: reason}).closeCode(); got != want {
			t.Errorf("%v: %d, want %d", reason, got, want)
		}
	}
}

// The defaults are those that the documentation names, and of no limit what clients can read.
func TestLimits(t *testing.T) {
	for _, tt := range []struct{ given, want Limits }{
		{Limits{}, Limits{1_000_000, 16777216, 25 * time.Second, 20 * time.Second, 10 * time.Second}},
		{Limits{MaxPayload: -1}, Limits{9007199254740991, 16777216, 25 * time.Second, 20 * time.Second, 10 * time.Second}},
	} {
		if got := tt.given.withDefaults(); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.given, got, tt.want)
		}
	}
	o, err := (*DialOptions)(nil).resolve()
	if want := (DialLimits{20 * time.Second, 10 * time.Second, 33554432, 16777216}); err != nil || o.Limits != want {
		t.Errorf("of a client: %+v, %v, want %+v", o.Limits, err, want)
	}
}

// The Loop of the Options serves the WebSockets, and without one a Loop of the server's own does.
func TestOptionsLoop(t *testing.T) {
	given := new(conn.Loop)
	if o, err := (&Options{Loop: given}).resolve(); err != nil || o.Loop != given {
		t.Errorf("the Loop that was given does not serve; %v", err)
	}
	a, _ := new(Options).resolve()
	b, _ := new(Options).resolve()
	if a.Loop == nil || a.Loop == b.Loop || a.Loop.After != conn.DefaultAfter {
		t.Errorf("without one %+v and %+v serve", a.Loop, b.Loop)
	}
}

// A session that has ended between two GETs is forgotten, though no other GET comes.
func TestForgottenUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *Session
		server, err := NewServer(func(n *Session) Receiver { s = n; return nobody{} }, nil)
		if err != nil {
			t.Fatal(err)
		}
		server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
		s.Close()
		time.Sleep(lingerTime - 1)
		synctest.Wait()
		if server.session(s.ID()) != s {
			t.Error("it is not known any more")
		}
		time.Sleep(1 * time.Nanosecond)
		synctest.Wait()
		if server.session(s.ID()) != nil {
			t.Error("it is still known")
		}
	})
}

// A Shutdown that may wait no longer cuts the WebSockets whose clients don't answer.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := NewServer(func(*Session) Receiver { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, peer := wstest.Pipe(nil) // peer does not read
		s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), c)
		s.receiver = nobody{}
		start := time.Now()
		s.lose(closedHere)
		synctest.Wait()
		server.cut()
		<-c.Done()
		if d := time.Since(start); d != 0 {
			t.Errorf("closed after %v", d)
		}
		peer.CloseNow()
	})
}
