package engineio

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/frame"
)

// A GET that the client cuts ends the session, also if messages were on their
// way to it; one that an upgrade has refused is nothing to the session.
func TestAbandonedGET(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *Session)
		lives  bool
	}{
		{"waiting", func(*Session) {}, false},
		{"answered", func(s *Session) { s.Send(NewMessage([]byte("a"), false)) }, false},
		{"refused by an upgrade", func(s *Session) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.answer(answer{refusal: badRequest})
		}, true},
	} {
		server, err := NewServer(func(*Session) Receiver { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(server, "id", packet.V4, httptest.NewRequest("GET", "/", nil), nil)
		_, p := s.poll(time.Now())
		tt.before(s)
		s.abandonPoll(p)
		if got := s.state != closed; got != tt.lives {
			t.Errorf("%s: the session lives: %v, want %v", tt.name, got, tt.lives)
		}
		s.end(closedHere) // and its timer
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
}
