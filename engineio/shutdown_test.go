package engineio_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
)

// Shutdown closes every transport, refuses new sessions, and waits until all
// clients know. Whoever calls it waits, though another call waits already.
func TestShutdown(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		waiting, late := s.open(), s.open()
		get := s.later(waiting)
		_, up := s.upgraded()
		w := s.openWebSocket()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- s.server.Shutdown(ctx) }()
			synctest.Wait()
		}
		s.wantAnswer(get, 200, "1")
		up.wantClosed()
		w.wantClosed()
		for range 4 {
			s.wantEnd(engineio.ServerShuttingDown)
		}
		if r := s.must("GET", "transport=polling", ""); r.status != 503 {
			t.Errorf("a new session: %d %s", r.status, r.body)
		}
		select {
		case <-done:
			t.Error("Shutdown did not wait for the last client")
		default:
		}
		s.wantGet(late, 200, "1")
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		if err := s.server.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown again: %v", err)
		}
	})
}

// A slowWriter is the response to a client that takes its time.
type slowWriter struct {
	*httptest.ResponseRecorder
	taken func()
}

func (w slowWriter) Write(b []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return w.ResponseRecorder.Write(b)
}

func (w slowWriter) Flush() { w.taken() }

// When Shutdown returns, the answers to the last GETs have left: the process may end
// then.
func TestShutdownTells(t *testing.T) {
	for _, late := range []bool{false, true} {
		inBubble(t, nil, func(s *site) {
			sid := s.open()
			told, done := false, make(chan error, 1)
			shutdown := func() { done <- s.server.Shutdown(context.Background()) }
			get := func() {
				w := slowWriter{httptest.NewRecorder(), func() { told = true }}
				s.server.ServeHTTP(w, httptest.NewRequest("GET", base+"?EIO=4&transport=polling&sid="+sid, nil))
				if w.Body.String() != "1" {
					t.Errorf("GET: %q", w.Body)
				}
			}
			first, second := get, shutdown
			if late {
				first, second = shutdown, get
			}
			go first()
			synctest.Wait()
			go second()
			if err := <-done; err != nil || !told {
				t.Errorf("late = %v: Shutdown: %v, the client is told: %v", late, err, told)
			}
			time.Sleep(time.Second)
		})
	}
}

// A slowEnd is a receiver that takes its time to hear of the end.
type slowEnd struct {
	echo
	heard *bool
}

func (r slowEnd) Closed(reason engineio.Reason) {
	time.Sleep(time.Hour)
	*r.heard = true
	r.echo.Closed(reason)
}

// When Shutdown returns, the receivers have heard of the end, whoever has ended the
// session, and whenever.
func TestShutdownWaitsForReceivers(t *testing.T) {
	ends := map[string]func(s *engineio.Session){
		"Close":    func(s *engineio.Session) { s.Close() },
		"overflow": func(s *engineio.Session) { s.Send(engineio.NewMessage(make([]byte, 100<<20), true)) },
		"Shutdown": func(s *engineio.Session) {},
	}
	for name, end := range ends {
		for _, opened := range []string{"polling", "websocket", "while it opens"} {
			heard := false
			receive := func(e echo) engineio.Receiver {
				if opened == "while it opens" {
					end(e.s)
				}
				return slowEnd{e, &heard}
			}
			withReceiver(t, nil, receive, func(s *site) {
				if opened == "websocket" {
					s.openWebSocket()
				} else {
					go func() { // a session that is over by then may get any response
						if r, err := s.http.Get(base + "?EIO=4&transport=polling"); err == nil {
							r.Body.Close()
						}
					}()
				}
				synctest.Wait()
				if opened != "while it opens" {
					go end(<-s.sessions)
				}
				time.Sleep(time.Minute) // the transport has ended
				if err := s.server.Shutdown(context.Background()); err != nil || !heard {
					t.Errorf("%s, %s: Shutdown: %v; the receiver has heard of the end: %v", name, opened, err, heard)
				}
			})
		}
	}
}

// Shutdown does not wait for clients that have closed: most do not come again.
func TestShutdownAfterClientCloses(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "1", 200, "ok")
		s.wantEnd(engineio.TransportClose)
		started := time.Now()
		if err := s.server.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if waited := time.Since(started); waited != 0 {
			t.Errorf("Shutdown waited for %v", waited)
		}
	})
}

// When its ctx ends Shutdown cuts what is left, and forgets the sessions that poll, though their
// second for one more GET is not over.
func TestShutdownEnds(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.openWebSocket()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("Shutdown: %v", err)
		}
		s.wantGet(sid, 400, unknownSession)
		for err := error(nil); err == nil; {
			_, _, err = w.c.Read(context.Background())
		}
	})
}

// A session that opens while the server shuts down is shut down too.
func TestShutdownWhileOpening(t *testing.T) {
	var server *engineio.Server
	open := func(e echo) engineio.Receiver {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(ctx)
		return e
	}
	withReceiver(t, nil, open, func(s *site) {
		server = s.server
		s.must("GET", "transport=polling", "")
		s.wantEnd(engineio.ServerShuttingDown)
	})
}
