package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A SessionWatcher is told of all that changes a session.
func TestSessionWatcher(t *testing.T) {
	b := new(logBus)
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		sockets := here.sockets(nil)
		r := here.client()
		s := <-sockets
		synctest.Wait()
		s.Join("a", "b")
		there.io.Emit("e")
		there.io.To("a").SocketsLeave("b")
		s.Set("key", 1)
		r.cut()
		s.Set("key", 2)
		if want := []string{"true 1 ", "true 3 ", "true 2 1", "true 2 1", "ended " + r.sid}; !slices.Equal(b.changed, want) {
			t.Errorf("changes %q, want %q", b.changed, want)
		}
		b.changed = nil
		if _, sid := there.comeBack(r.pid, ""); sid != r.sid {
			t.Error("not recovered")
		}
		synctest.Wait()
		if want := []string{"true 2 1"}; !slices.Equal(b.changed, want) {
			t.Errorf("changes %q when it is back, want %q", b.changed, want)
		}
	})
}

// A Log need not be a SessionWatcher.
func TestLogWatchesNoSessions(t *testing.T) {
	inLog(t, &logBus{mute: true}, &socketio.Recovery{RunMiddleware: true}, func(here, there *site) {
		sockets := here.sockets(nil)
		refuse := false
		there.io.Use(func(context.Context, *socketio.Socket) error {
			if refuse {
				return errors.New("no")
			}
			return nil
		})
		r := here.client()
		s := <-sockets
		synctest.Wait()
		s.Join("a")
		s.Set("key", 1)
		r.cut()
		again, sid := there.comeBack(r.pid, "")
		if sid != r.sid {
			t.Error("not recovered")
		}
		again.cut()
		refuse = true
		r = there.dial()
		r.send(fmt.Sprintf(`0{"pid":%q}`, again.pid))
		r.want(`4{"message":"no"}`)
		if log := here.log.String() + there.log.String(); strings.Contains(log, "panic") {
			t.Errorf("log: %s", log)
		}
	})
}

// A client whose events have gone since its session was taken is new, and so it is for the
// middleware. So is one that middleware then refuses.
func TestLogNew(t *testing.T) {
	b := &logBus{gone: true}
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		b.changed = nil
		sockets := here.sockets(func(s *socketio.Socket) { s.Join("room"); s.Set("key", 1) })
		returned := there.sockets(nil)
		refused := false
		there.io.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() || s.Value("key") != nil || len(s.Rooms()) > 0 {
				t.Errorf("recovered %t, rooms %q, value %v", s.Recovered(), s.Rooms(), s.Value("key"))
			}
			if refused {
				return errors.New("no")
			}
			return nil
		})
		r := here.client()
		s := <-sockets
		synctest.Wait()
		s.Emit("e")
		_, last := offset(t, r.read())
		r.cut()
		again, sid := there.comeBack(r.pid, last)
		synctest.Wait()
		if s := <-returned; sid == r.sid || again.pid == r.pid || s.ID() != sid || s.Recovered() {
			t.Errorf("sid %q, pid %q; before %q, %q", sid, again.pid, r.sid, r.pid)
		}
		if _, kept := b.sessions[r.pid]; kept {
			t.Error("the session may be taken once more")
		}
		if got := there.io.Of("/").CountIn("room"); got != 0 {
			t.Errorf("%d in the room", got)
		}
		if log := there.log.String(); strings.Count(log, "a client that has come back is new") != 1 {
			t.Errorf("log: %s", log)
		}
		if want := []string{"ended " + r.sid, "ended " + r.sid, "true 1 1"}; !slices.Equal(b.changed[len(b.changed)-3:], want) {
			t.Errorf("changes %q, want %q at the end: of the socket, of the session, and the new one", b.changed, want)
		}
		again.cut()
		refused = true
		r = there.dial()
		r.send(fmt.Sprintf(`0{"pid":%q,"offset":%q}`, again.pid, ""))
		r.want(`4{"message":"no"}`)
		synctest.Wait()
		if log := there.log.String(); strings.Contains(log, "panic") {
			t.Errorf("log: %s", log)
		}
	})
}

// A client is new if the Log says that it has not come back, whatever session comes with that,
// and if there is no id in the session.
func TestLogTakesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*logBus, *socketio.Session){
		"not ok": func(b *logBus, _ *socketio.Session) { b.lacking = true },
		"no id":  func(_ *logBus, s *socketio.Session) { s.ID = "" },
	} {
		b := new(logBus)
		inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
			returned := there.sockets(nil)
			r := here.client()
			synctest.Wait()
			r.cut()
			session := b.sessions[r.pid]
			spoil(b, &session)
			b.sessions[r.pid] = session
			_, sid := there.comeBack(r.pid, "")
			if s := <-returned; sid == r.sid || s.ID() != sid || s.Recovered() {
				t.Errorf("%s: sid %q, recovered %t", name, sid, s.Recovered())
			}
		})
	}
}

// A Log that does not answer delays a client by 5 s when it looks for its session, and as long
// when it looks for what it has missed. Then the client is new.
func TestLogSilent(t *testing.T) {
	for _, call := range []string{"Take", "Resume"} {
		b := new(logBus)
		inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
			r := here.client()
			synctest.Wait()
			r.cut()
			b.silent = call
			start := time.Now()
			_, sid := there.comeBack(r.pid, "")
			if took := time.Since(start); sid == r.sid || took != 5*time.Second {
				t.Errorf("%s: sid %q, before %q, after %s", call, sid, r.sid, took)
			}
		})
	}
}

// A Log that panics when it is told of the end of a session hears of it once. The client of that
// is refused.
func TestSessionWatcherPanics(t *testing.T) {
	b := &logBus{gone: true}
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		r := here.client()
		synctest.Wait()
		r.cut()
		b.changed, b.faulty = nil, true
		again := there.dial()
		again.send(fmt.Sprintf(`0{"pid":%q}`, r.pid))
		again.want(`4{"message":"Internal error"}`)
		synctest.Wait()
		if want := []string{"ended " + r.sid}; !slices.Equal(b.changed, want) {
			t.Errorf("changes %q, want %q", b.changed, want)
		}
		b.faulty = false
	})
}

// What a Log has kept and is no event is nothing that a client has missed.
func TestLogGarbage(t *testing.T) {
	b := new(logBus)
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		r := here.client()
		synctest.Wait()
		here.io.Emit("e")
		_, last := offset(t, r.read())
		r.cut()
		b.entries = append(b.entries, socketio.Missed{Event: socketio.Encoded{Data: []byte("{}")}, Offset: "2"})
		there.io.Emit("missed")
		b.entries = append(b.entries, socketio.Missed{Event: socketio.Encoded{Data: []byte("{}")}, Offset: "4"})
		again, sid := there.comeBack(r.pid, last)
		if sid != r.sid {
			t.Fatal("not recovered")
		}
		got, last := offset(t, again.read())
		if got != `2["missed"]` {
			t.Errorf("read %q", got)
		}
		again.wantNothing()
		again.cut()
		if sent, log := b.sessions[r.pid].Sent, there.log.String(); sent != last || strings.Contains(log, "panic") {
			t.Errorf("the session says that it was sent %s, and it got %s; log %s", sent, last, log)
		}
	})
}
