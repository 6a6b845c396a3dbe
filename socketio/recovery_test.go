package socketio_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/socketio"
)

var recovering = &socketio.Options{Recovery: &socketio.Recovery{}}

// offset splits the offset off the last argument of an event.
func offset(t *testing.T, packet string) (rest, offset string) {
	t.Helper()
	i := strings.LastIndex(packet, `,"`)
	if i < 0 || !strings.HasSuffix(packet, `"]`) {
		t.Fatalf("no offset in %q", packet)
	}
	return packet[:i] + "]", packet[i+2 : len(packet)-2]
}

// comeBack connects again with what the client knows, and returns the answer.
func (s *site) comeBack(pid, offset string) (r *raw, sid string) {
	s.t.Helper()
	r = s.dial()
	r.connect(fmt.Sprintf(`{"pid":%q,"offset":%q}`, pid, offset))
	return r, r.sid
}

// "CONNECT's answer carries pid; each event without ack and not volatile gets
// the offset (a string) as its last argument, also binary and resent ones. On
// return rooms, data and missed events come back, middleware is skipped."
func TestRecovery(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		runs := 0
		s.io.Use(func(context.Context, *socketio.Socket) error { runs++; return nil })
		var recovered []bool
		s.io.OnConnect(func(n *socketio.Socket) {
			recovered = append(recovered, n.Recovered())
			if !n.Recovered() {
				n.Join("room")
				n.Set("name", "Ann")
			}
			socketio.Handle(n, "who", func(context.Context, any) (string, error) {
				return fmt.Sprint(n.Value("name"), len(n.Rooms())), nil
			})
		})
		r := s.client()
		if r.pid == "" || r.pid == r.sid {
			t.Errorf("pid %q, sid %q", r.pid, r.sid)
		}
		synctest.Wait()
		s.io.To("room").Emit("first", 1)
		got, first := offset(t, r.read())
		if got != `2["first",1]` {
			t.Errorf("read %q", got)
		}
		synctest.Wait()
		s.io.Volatile().Emit("volatile")
		r.want(`2["volatile"]`)
		go socketio.CallAll[any](context.Background(), s.io, "acked")
		r.want(`20["acked"]`)
		r.send("30[]")
		synctest.Wait()
		r.c.CloseNow()
		synctest.Wait()
		s.io.To("room").Emit("missed", []byte("b"))
		s.io.To(r.sid).Emit("for me")
		s.io.Volatile().Emit("never")
		s.io.To("elsewhere").Emit("not for me")
		s.io.Except("room").Emit("not for me either")
		time.Sleep(2 * time.Minute)
		again, sid := s.comeBack(r.pid, first)
		if sid != r.sid || again.pid != r.pid {
			t.Errorf("sid %q and pid %q, want %q and %q", sid, again.pid, r.sid, r.pid)
		}
		missed, second := offset(t, again.read())
		again.want("binary:b")
		forMe, third := offset(t, again.read())
		if missed != `51-["missed",{"_placeholder":true,"num":0}]` || forMe != `2["for me"]` || first == second || second == third {
			t.Errorf("missed %q and %q, offsets %q", missed, forMe, []string{first, second, third})
		}
		again.send(`21["who"]`)
		again.want(`31["Ann2"]`)
		if runs != 1 || !slices.Equal(recovered, []bool{false, true}) {
			t.Errorf("middleware ran %d times, recovered %v", runs, recovered)
		}
		s.io.To("room").Emit("live")
		if got, _ := offset(t, again.read()); got != `2["live"]` {
			t.Errorf("read %q", got)
		}
	})
}

// Who can't come back connects anew.
func TestNotRecoverable(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(r *raw)
		wait time.Duration
		lie  func(pid, offset string) (string, string)
	}{
		{"after client namespace disconnect", func(r *raw) { r.send("1") }, 0, nil},
		{"after server namespace disconnect", func(r *raw) { r.io.DisconnectSockets(false) }, 0, nil},
		{"after bytes that are no packet", func(r *raw) { r.c.Write(r.t.Context(), conn.Text, []byte("x")) }, 0, nil},
		{"too late", func(r *raw) { r.c.CloseNow() }, 2*time.Minute + 1, nil},
		{"much too late", func(r *raw) { r.c.CloseNow() }, time.Hour, nil},
		{"unknown pid", func(r *raw) { r.c.CloseNow() }, 0, func(_, offset string) (string, string) { return "x", offset }},
		{"offset of another server", func(r *raw) { r.c.CloseNow() }, 0, func(pid, _ string) (string, string) { return pid, "abc.1" }},
		{"offset without its server", func(r *raw) { r.c.CloseNow() }, 0, func(pid, offset string) (string, string) {
			return pid, offset[strings.Index(offset, ".")+1:]
		}},
		{"offset of the future", func(r *raw) { r.c.CloseNow() }, 0, func(pid, offset string) (string, string) { return pid, offset + "z" }},
		{"offset that is none", func(r *raw) { r.c.CloseNow() }, 0, func(pid, offset string) (string, string) { return pid, offset + "-" }},
		{"offset beyond numbers", func(r *raw) { r.c.CloseNow() }, 0, func(pid, offset string) (string, string) { return pid, offset[:len(offset)-1] + "3w5e11264sgsf" }},
		{"still there", func(*raw) {}, 0, nil},
	} {
		inBubble(t, recovering, func(s *site) {
			r := s.client()
			synctest.Wait()
			s.io.Emit("x")
			_, pid := r.sid, r.pid
			_, last := offset(t, r.read())
			tt.end(r)
			synctest.Wait()
			time.Sleep(tt.wait)
			if tt.lie != nil {
				pid, last = tt.lie(pid, last)
			}
			if _, sid := s.comeBack(pid, last); sid == r.sid {
				t.Errorf("%s: recovered", tt.name)
			}
		})
	}
}

// A pid is good for one return.
func TestRecoveryOnce(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		r := s.client()
		synctest.Wait()
		s.io.Emit("x")
		_, last := offset(t, r.read())
		r.c.CloseNow()
		synctest.Wait()
		if _, sid := s.comeBack(r.pid, last); sid != r.sid {
			t.Error("not recovered")
		}
		if _, sid := s.comeBack(r.pid, last); sid == r.sid {
			t.Error("recovered twice")
		}
	})
}

// Memory is bounded: what was dropped can't be recovered, what was not can.
func TestRecoveryLimits(t *testing.T) {
	o := &socketio.Options{Recovery: &socketio.Recovery{EventBytes: 12_000, Sessions: 1, RunMiddleware: true}}
	inBubble(t, o, func(s *site) {
		runs := 0
		s.io.Use(func(context.Context, *socketio.Socket) error { runs++; return nil })
		a, b := s.client(), s.client()
		synctest.Wait()
		s.io.Emit("x")
		_, last := offset(t, a.read())
		b.read()
		b.c.CloseNow()
		synctest.Wait()
		a.c.CloseNow()
		synctest.Wait()
		for range 8 {
			s.io.Emit("big", strings.Repeat("x", 1000))
		}
		if _, sid := s.comeBack(b.pid, last); sid == b.sid {
			t.Error("more sessions than Sessions")
		}
		again, sid := s.comeBack(a.pid, last)
		if sid != a.sid || runs != 4 {
			t.Errorf("not recovered, middleware ran %d times", runs)
		}
		for range 8 {
			again.read()
		}
		again.c.CloseNow()
		synctest.Wait()
		for range 10 {
			s.io.Emit("big", strings.Repeat("x", 1000))
		}
		if _, sid := s.comeBack(a.pid, last); sid == a.sid {
			t.Error("recovered although events were dropped")
		}
	})
}

// Events keep their order and come once, however often the client is cut off
// while they are sent.
func TestRecoveryUnderLoad(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		const n = 2000
		r := s.client()
		synctest.Wait()
		s.io.Emit("n", -1)
		_, last := offset(t, r.read())
		go func() {
			for i := range n {
				s.io.Emit("n", i)
				if i%10 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		cuts := 0
		for next := 0; next < n; {
			if next%200 == 150 {
				r.c.CloseNow()
				synctest.Wait()
				again, sid := s.comeBack(r.pid, last)
				if sid != r.sid {
					t.Fatalf("not recovered at %d", next)
				}
				r = again
				cuts++
			}
			var got string
			got, last = offset(t, r.read())
			if want := fmt.Sprintf(`2["n",%d]`, next); got != want {
				t.Fatalf("read %q, want %q", got, want)
			}
			next++
		}
		if cuts != 10 {
			t.Errorf("%d cuts", cuts)
		}
	})
}

// Auth that is not about recovery is none of its business, and no Log is asked about it. The
// client is a new one like any other.
func TestRecoveryAuth(t *testing.T) {
	b := new(logBus)
	for _, o := range []*socketio.Options{recovering, {Adapter: b.join, Recovery: &socketio.Recovery{}}} {
		inBubble(t, o, func(s *site) {
			r := s.client()
			synctest.Wait()
			r.cut()
			for _, auth := range []string{`{"pid":7,"offset":[]}`, fmt.Sprintf(`{"pid":%q,"offset":7}`, r.pid), `{}`} {
				again := s.comeBackWith("", auth)
				if again.sid == r.sid {
					t.Errorf("%s has come back", auth)
				}
				synctest.Wait()
				s.io.Emit("e")
				if got, _ := offset(t, again.read()); got != `2["e"]` {
					t.Errorf("%s: read %q", auth, got)
				}
			}
		})
	}
	if b.taken != 0 {
		t.Errorf("a Log was asked for %d sessions", b.taken)
	}
}
