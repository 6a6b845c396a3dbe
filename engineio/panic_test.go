package engineio_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
)

// panics is a receiver that does not survive its messages.
type panics struct{ echo }

func (panics) Message([]byte, bool) { panic("receiver") }

// quits is a receiver that ends its goroutine, as a failed test does.
type quits struct{ echo }

func (quits) Message([]byte, bool) { runtime.Goexit() }

// A receiver that ends its goroutine costs its session, on either transport, and
// Shutdown, which inBubble calls, does not wait for it.
func TestReceiverQuits(t *testing.T) {
	log := new(lines)
	o := &engineio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	withReceiver(t, o, func(e echo) engineio.Receiver { return quits{e} }, func(s *site) {
		sid := s.open()
		if r, err := s.do(s.t.Context(), "POST", "transport=polling&sid="+sid, "4a\x1e4b"); err == nil {
			t.Errorf("POST: %d %q from a goroutine that is gone", r.status, r.body)
		}
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
		w := s.openWebSocket()
		w.send("4a")
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
		if got := strings.Count(log.String(), "Goexit was called"); got != 2 {
			t.Errorf("%d ends in the log, want 2: %s", got, log)
		}
	})
}

// A function that panics, or ends its goroutine, while a WebSocket opens costs the
// request: Shutdown waits for no session of it, whether it is called after that or before.
func TestHookPanics(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
		hook := func() {
			time.Sleep(time.Second)
			end()
		}
		for where, hooks := range map[string]engineio.Hooks{
			"Subprotocol": {Subprotocol: func(*http.Request, []string) string { hook(); return "" }},
			"Refused":     {Refused: func(*http.Request, *engineio.Refusal) { hook() }},
		} {
			for _, before := range []bool{false, true} {
				o := &engineio.Options{Logger: slog.New(slog.DiscardHandler), Hooks: hooks}
				if err := shutdownAround(t, o, before); err != nil {
					t.Errorf("%s in %s, Shutdown before it %v: %v", name, where, before, err)
				}
			}
		}
	}
}

// shutdownAround returns the error of a Shutdown after the end of a WebSocket request that
// fails in a hook, or before that.
func shutdownAround(t *testing.T, o *engineio.Options, before bool) (err error) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, func(*engineio.Session) engineio.Receiver { return panics{} }, o)
		over := make(chan any, 1)
		go func() {
			defer func() { over <- recover() }()
			r := httptest.NewRequest("GET", base+"?EIO=4&transport=websocket", nil)
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Sec-WebSocket-Protocol", "x")
			server.ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		if !before {
			<-over
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = server.Shutdown(ctx)
	})
	return err
}

// A receiver that panics costs its session, on either transport: the process
// lives, the POST is answered, nothing is left behind.
func TestReceiverPanics(t *testing.T) {
	log := new(lines)
	o := &engineio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	withReceiver(t, o, func(e echo) engineio.Receiver { return panics{e} }, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "4a\x1e4b", 200, "ok")
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
		w := s.openWebSocket()
		w.send("4a")
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
		if got := strings.Count(log.String(), "receiver panicked"); got != 2 {
			t.Errorf("%d panics in the log, want 2: %s", got, log)
		}
	})
}

// mourns is a receiver that does not survive the end of its session.
type mourns struct{ echo }

func (mourns) Closed(engineio.Reason) { panic("end") }

// A receiver that panics when its session ends costs nothing else, whatever has ended
// the session: here its timer, the client, and the reader of a WebSocket.
func TestClosedPanics(t *testing.T) {
	log := new(lines)
	o := &engineio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	withReceiver(t, o, func(e echo) engineio.Receiver { return mourns{e} }, func(s *site) {
		s.open() // and never come back
		s.wantPost(s.open(), "1", 200, "ok")
		w := s.openWebSocket()
		w.send("1")
		w.wantClosed()
		time.Sleep(time.Minute)
		if got := strings.Count(log.String(), "receiver panicked"); got != 3 {
			t.Errorf("%d panics in the log, want 3: %s", got, log)
		}
	})
}

// A panickingWriter is the response to a request that middleware gives up.
type panickingWriter struct{ *httptest.ResponseRecorder }

func (panickingWriter) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }

// A panic of the writer of the open packet comes after the session has opened: it counts, and
// Shutdown ends it.
func TestWriterPanics(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		func() {
			defer func() { recover() }()
			s.server.ServeHTTP(panickingWriter{httptest.NewRecorder()}, httptest.NewRequest("GET", base+"?EIO=4&transport=polling", nil))
		}()
		if got := s.server.Count(); got != (engineio.Count{Polling: 1}) {
			t.Errorf("%+v, want one session", got)
		}
		if err := s.server.Shutdown(s.t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		s.wantEnd(engineio.ServerShuttingDown)
	})
}
