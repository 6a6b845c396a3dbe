package socketio_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// An adapter learns that a socket of this node owes its acknowledgement for good.
func TestLocalCallUnanswered(t *testing.T) {
	var l *socketio.Local
	o := &socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	inBubble(t, o, func(s *site) {
		a, b := s.client(), s.client()
		synctest.Wait()
		clients, wait, err := l.Call(socketio.Target{}, socketio.Encoded{Data: []byte(`["q"]`)})
		if err != nil || clients != 2 {
			t.Fatal(clients, err)
		}
		a.want(`20["q"]`)
		a.send(`30["a"]`)
		synctest.Wait()
		b.cut()
		var answers []string
		err = wait(s.t.Context(), func(e socketio.Encoded) { answers = append(answers, string(e.Data)) })
		if err == nil || !slices.Equal(answers, []string{`"a"`}) {
			t.Errorf("answers %q, %v", answers, err)
		}
	})
}

// Local.Join goes on after a socket that can't join, and tells of that.
func TestLocalJoinFails(t *testing.T) {
	var l *socketio.Local
	o := &socketio.Options{Limits: socketio.Limits{Rooms: 3}, Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	inBubble(t, o, func(s *site) {
		sockets, _ := people(s, "a", "b", "c")
		full := sockets["b"]
		if err := full.Join("its last"); err != nil {
			t.Fatal(err)
		}
		err := l.Join(socketio.Target{Rooms: []string{"a", "b", "c"}}, []string{"new"})
		if err == nil || !strings.Contains(err.Error(), "Limits.Rooms") {
			t.Errorf("Join: %v", err)
		}
		for name, x := range sockets {
			if in := slices.Contains(x.Rooms(), "new"); in != (x != full) {
				t.Errorf("%s is in the room: %t", name, in)
			}
		}
	})
}

// An adapter gets the first argument of an acknowledgement, whole, and of the attachments only
// those that are in it.
func TestLocalCallAnswer(t *testing.T) {
	for _, tt := range []struct{ packet, want string }{
		{`30[{"a":[1]},2]`, `{"a":[1]}`},
		{`61-0[{"_placeholder":true,"num":0}]`, `{"_placeholder":true,"num":0} zero`},
		{`62-0[[{"_placeholder":true,"num":1},"x"],{"_placeholder":true,"num":0}]`, `[{"_placeholder":true,"num":0},"x"] one`},
		{`62-0[7,[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]`, `7`},
		{`62-0[{"a":{"_placeholder":true,"num":1},"b":{"_placeholder":true,"num":0}, "c": 1}]`,
			`{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":1}, "c": 1} one zero`},
	} {
		var l *socketio.Local
		o := &socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
			l = x
			return new(bus).join(x)
		}}
		inBubble(t, o, func(s *site) {
			r := s.client()
			_, wait, err := l.Call(socketio.Target{}, socketio.Encoded{Data: []byte(`["q"]`)})
			if err != nil {
				t.Fatal(err)
			}
			r.want(`20["q"]`)
			r.send(tt.packet)
			for i := range strings.Count(tt.packet, "_placeholder") {
				r.sendBinary([]string{"zero", "one"}[i])
			}
			var got string
			err = wait(s.t.Context(), func(e socketio.Encoded) {
				got = string(e.Data)
				for _, data := range e.Attachments {
					got += " " + string(data)
				}
			})
			if err != nil || got != tt.want {
				t.Errorf("%s: answer %s, %v; want %s", tt.packet, got, err, tt.want)
			}
		})
	}
}

// Rooms has those of all nodes, each once, sorted.
func TestRoomsOfAllNodes(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, there *site) {
		want := []string{"a", "both", "z"}
		for _, s := range []*site{here, there} {
			sockets := s.sockets(nil)
			s.client()
			x := <-sockets
			x.Join("both", map[*site]string{here: "z", there: "a"}[s])
			want = append(want, x.ID())
		}
		slices.Sort(want)
		for _, s := range []*site{here, there} {
			if got, err := s.io.Rooms(here.t.Context()); err != nil || !slices.Equal(got, want) {
				t.Errorf("rooms %q, %v; want %q", got, err, want)
			}
		}
	})
}

// A counting node counts the events that leave it.
type counting struct {
	*node
	broadcasts int
}

func (c *counting) Broadcast(t socketio.Target, e socketio.Encoded) error {
	c.broadcasts++
	return c.node.Broadcast(t, e)
}

// An event for a socket of this node alone stays on it, also where it is kept for a client
// that comes back.
func TestEmitStaysHere(t *testing.T) {
	for _, recovery := range []*socketio.Recovery{nil, {}} {
		c := new(counting)
		o := &socketio.Options{Recovery: recovery, Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
			a, err := new(bus).join(l)
			c.node = a.(*node)
			return c, err
		}}
		inBubble(t, o, func(s *site) {
			sockets := s.sockets(nil)
			r := s.client()
			x := <-sockets
			for _, tt := range []struct {
				to    interface{ Emit(string, ...any) error }
				leave int
			}{{x, 0}, {x.Compress(true), 0}, {s.io, 1}, {x.Broadcast(), 1}, {s.io.Local(), 0}} {
				c.broadcasts = 0
				if err := tt.to.Emit("e"); err != nil || c.broadcasts != tt.leave {
					t.Errorf("%T: %d events have left, want %d; %v", tt.to, c.broadcasts, tt.leave, err)
				}
			}
			r.c.CloseNow()
		})
	}
}
