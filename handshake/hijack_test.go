package handshake

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// failingHijack is a writer whose connection is not given away.
type failingHijack struct {
	http.ResponseWriter
	err error
}

func (w failingHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, w.err }

// A statusRecorder is what much middleware has: it embeds a ResponseWriter and
// hides its other methods.
type statusRecorder struct{ http.ResponseWriter }

// An unwrapsTo reveals another writer.
type unwrapsTo struct {
	http.ResponseWriter
	to http.ResponseWriter
}

func (w *unwrapsTo) Unwrap() http.ResponseWriter { return w.to }

// TestNotHijacked: of a writer that does not give the connection away the error
// tells the type, and those of the writers around it, down to the one that is to
// blame. The peer is told nothing of that.
func TestNotHijacked(t *testing.T) {
	errAway := errors.New("taken away")
	const remedy = " has no Hijack method; if it wraps another writer, a method Unwrap() http.ResponseWriter would reveal that one: feature not supported"
	for _, tt := range []struct {
		name string
		wrap func(w http.ResponseWriter) http.ResponseWriter
		want string
		is   error
	}{
		{"no Hijack", func(w http.ResponseWriter) http.ResponseWriter { return w }, "*httptest.ResponseRecorder" + remedy, http.ErrNotSupported},
		{"hidden", func(w http.ResponseWriter) http.ResponseWriter { return &statusRecorder{w} }, "*handshake.statusRecorder" + remedy, http.ErrNotSupported},
		{
			"hidden below",
			func(w http.ResponseWriter) http.ResponseWriter {
				return &unwrapsTo{w, &unwrapsTo{w, statusRecorder{w}}}
			},
			"*handshake.unwrapsTo, which wraps *handshake.unwrapsTo, which wraps handshake.statusRecorder" + remedy, http.ErrNotSupported,
		},
		{"wraps none", func(w http.ResponseWriter) http.ResponseWriter { return &unwrapsTo{w, nil} }, "*handshake.unwrapsTo, which wraps <nil>: feature not supported", http.ErrNotSupported},
		{
			"Hijack fails below",
			func(w http.ResponseWriter) http.ResponseWriter {
				return &unwrapsTo{w, failingHijack{w, errAway}}
			},
			"*handshake.unwrapsTo, which wraps handshake.failingHijack.Hijack: taken away", errAway,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			_, err := Accept(tt.wrap(w), readRequest(t, sample("")), nil)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Status != http.StatusNotImplemented || w.Code != http.StatusNotImplemented {
				t.Fatalf("error %v, status %d", err, w.Code)
			}
			if want := "websocket: accept: 501 Not Implemented: connection can't be taken over: " + tt.want; err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
			if !errors.Is(err, tt.is) {
				t.Errorf("error %v hides %v", err, tt.is)
			}
			if body := w.Body.String(); body != "connection can't be taken over\n" {
				t.Errorf("the peer is told %q", body)
			}
		})
	}
}

// TestNotHijackedByMiddleware: net/http's own middleware is named too.
func TestNotHijackedByMiddleware(t *testing.T) {
	w := httptest.NewRecorder()
	http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := Accept(w, r, nil); err == nil || !strings.Contains(err.Error(), "*http.timeoutWriter has no Hijack") {
			t.Errorf("error %v", err)
		}
	}), time.Minute, "").ServeHTTP(w, readRequest(t, sample("")))
	if w.Code != http.StatusNotImplemented {
		t.Errorf("status %d", w.Code)
	}
}

// TestHijackedBefore: where a handler has taken the connection over already,
// Accept writes nothing to it, and returns an error that is no refusal.
func TestHijackedBefore(t *testing.T) {
	returned := make(chan bool, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		accepted := false // net/http recovers from a panic
		defer func() { returned <- accepted }()
		_, err = Accept(w, r, nil)
		accepted = true
		if _, refused := errors.AsType[*Error](err); refused || !errors.Is(err, http.ErrHijacked) {
			t.Errorf("error %v", err)
		}
	}))
	defer s.Close()
	if _, resp, err := Dial(t.Context(), s.URL, nil); err == nil || resp != nil {
		t.Errorf("%v, %v", resp, err)
	}
	if !<-returned {
		t.Error("Accept did not return")
	}
}
