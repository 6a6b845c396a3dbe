package engineio

import (
	"net/http/httptest"
	"testing"
	"time"
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
		s := newSession(server, "id", httptest.NewRequest("GET", "/", nil))
		_, p := s.poll(time.Now())
		tt.before(s)
		s.abandonPoll(p)
		if got := s.state != closed; got != tt.lives {
			t.Errorf("%s: the session lives: %v, want %v", tt.name, got, tt.lives)
		}
		s.end(ForcedClose) // and its timer
	}
}
