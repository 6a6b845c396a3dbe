package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// A suite has count cases and sends one message in each. It refuses the handshake of
// the second.
type suite struct {
	count string

	mu       sync.Mutex
	requests []string
	echoes   []string
}

// start returns the URL of s.
func (s *suite) start(t *testing.T) string {
	t.Helper()
	ws := &conn.Server{Serve: s.serve}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(&s.requests, r.URL.String())
		if r.FormValue("case") == "2" {
			http.Error(w, "not this one", http.StatusBadRequest)
			return
		}
		ws.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

func (s *suite) serve(ctx context.Context, c *conn.Conn, r *http.Request) error {
	switch r.URL.Path {
	case "/getCaseCount":
		_ = c.Write(ctx, conn.Text, []byte(s.count))
	case "/runCase":
		_ = c.Write(ctx, conn.Text, []byte("case "+r.FormValue("case")))
		_, p, err := c.Read(ctx)
		if err != nil {
			p = []byte(err.Error())
		}
		s.note(&s.echoes, string(p))
	}
	return &conn.CloseError{Code: frame.StatusNoStatus}
}

func (s *suite) note(list *[]string, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, what)
}

func TestRun(t *testing.T) {
	s := &suite{count: "3"}
	if err := run(t.Context(), s.start(t), "a b"); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want := []string{
		"/getCaseCount",
		"/runCase?case=1&agent=a+b",
		"/runCase?case=2&agent=a+b",
		"/runCase?case=3&agent=a+b",
		"/updateReports?agent=a+b",
	}
	if diff := cmp.Diff(want, s.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"case 1", "case 3"}, s.echoes); diff != "" {
		t.Errorf("echoes (-want +got):\n%s", diff)
	}
}

func TestRunFails(t *testing.T) {
	s := &suite{count: "many"}
	if err := run(t.Context(), s.start(t), "parley"); err == nil {
		t.Error("a run without a number of cases has passed")
	}
	if err := run(t.Context(), "ws://127.0.0.1:0", "parley"); err == nil {
		t.Error("a run without a server has passed")
	}
}
