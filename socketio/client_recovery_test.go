package socketio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A client that was away gets its id, its rooms and what it has missed, in order and
// once, before new events; what it emitted meanwhile arrives too.
func TestClientRecovers(t *testing.T) {
	inModes(t, &socketio.Options{Recovery: &socketio.Recovery{}}, func(s *site, mode string) {
		var d, got diary
		n, client := s.network()
		s.io.OnConnect(func(n *socketio.Socket) {
			if !n.Recovered() {
				n.Join("room")
			}
			n.OnEvent("up", func(e *socketio.Event) error { got.add("up"); return nil })
		})
		o := s.dialOptions(mode, socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) {
			tellLife(c, &d)
			c.OnEvent("down", func(e *socketio.Event) error {
				var x any
				err := e.Decode(0, &x)
				d.add("%v", x)
				return err
			})
		}})
		o.Engine.HTTPClient = client
		c := s.start(o)
		id := c.ID()
		<-time.After(time.Minute)
		s.io.To("room").Emit("down", 1)
		s.io.Emit("down", []byte("2"), "not an offset")
		synctest.Wait()
		d.want(s.t, "connect recovered=false", "1", "[50]")
		for round := range 3 {
			n.cut(true)
			synctest.Wait()
			if c.Recovered() {
				s.t.Errorf("round %d: recovered while it is away", round)
			}
			d.take()
			s.io.To("room").Emit("down", 3)
			s.io.Of("/").Emit("down", "4")
			s.io.To("elsewhere").Emit("down", "not for us")
			c.Emit("up")
			<-time.After(500 * time.Millisecond)
			n.up()
			<-time.After(time.Second)
			d.want(s.t, "attempt 1", "reconnect 1", "connect recovered=true", "3", "4")
			got.want(s.t, "up")
			if c.ID() != id || !c.Recovered() {
				s.t.Errorf("round %d: id %q, want %q", round, c.ID(), id)
			}
		}
		c.Disconnect() // not to be recovered from
		c.Connect()
		synctest.Wait()
		d.want(s.t, "disconnect: io client disconnect", "connect recovered=false")
	})
}

// The offset is not one of the arguments that MaxArguments allows.
func TestClientOffsetBesideMaxArguments(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{}}, func(s *site) {
		var got []int
		c := s.start(s.dialOptions("websocket", socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnEvent("e", func(e *socketio.Event) error { got = append(got, e.Len()); return nil })
		}}))
		s.io.Emit("e", make([]any, socketio.MaxArguments)...)
		synctest.Wait()
		if want := socketio.MaxArguments + 1; len(got) != 1 || got[0] != want || !c.Connected() {
			s.t.Errorf("events with %v arguments, want one with %d; connected %t", got, want, c.Connected())
		}
	})
}

// What a client with pid says in CONNECT, and what it takes for an offset.
func TestClientOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		p.most = 2000
		p.onConnect = func() { p.send(`40{"sid":"id","pid":"p"}`) }
		auth := map[string]any{}
		c := p.start(&socketio.DialOptions{Reconnection: steady, AuthFunc: func(context.Context, string) (any, error) { return auth, nil }})
		again := func(want string) {
			t.Helper()
			synctest.Wait()
			p.take()
			p.conn.CloseNow()
			<-time.After(2 * time.Second)
			if got := fmt.Sprint(p.take()); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		again(`[40{"pid":"p"}]`)
		p.send(`42["e",1]`)
		again(`[40{"pid":"p"}]`)
		bare := 0
		c.OnEvent("bare", func(*socketio.Event) error { bare++; return nil })
		p.send(`42["bare"]`)
		again(`[40{"pid":"p"}]`)
		if bare != 1 {
			t.Error("an event without arguments has not been handled")
		}
		p.send(`42["e","o\u00e91"]`)
		p.send(`42["e","o2",2]`)
		again(`[40{"pid":"p","offset":"o\u00e91"}]`)
		longest := strings.Repeat("o", 1022)
		p.send(`42["e","` + longest + `o"]`)
		again(`[40{"pid":"p","offset":"o\u00e91"}]`)
		p.send(`42["e","` + longest + `"]`)
		again(`[40{"pid":"p","offset":"` + longest + `"}]`)
		p.send(`452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"o3"]`, []byte("a"), []byte("b"))
		auth["token"] = "t"
		again(`[40{"pid":"p","offset":"o3","token":"t"}]`)
		p.onConnect = func() { p.send(`40{"sid":"id","pid":"another"}`) }
		again(`[40{"pid":"p","offset":"o3","token":"t"}]`)
		again(`[40{"pid":"another","token":"t"}]`) // the offset was that of another session
		if c.Recovered() != true {
			t.Error("the same pid again is a recovery")
		}
		p.onConnect = func() { p.send(`40{"sid":"id"}`) }
		again(`[40{"pid":"another","token":"t"}]`)
		p.send(`42["e","o4"]`)
		again(`[40{"token":"t"}]`)
	})
}

// Node's server sends what was missed before it agrees, in the order of its events, and what
// a middleware emits.
func TestClientMissedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		p.onConnect = func() { p.send(`42["e",0,"early"]`); p.send(`40{"sid":"id","pid":"p"}`) }
		c := p.start(&socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) {
			tellLife(c, &d)
			socketio.On(c, "e", func(_ context.Context, x int) error { d.add("%d", x); return nil })
		}})
		p.send(`42["e",1,"o1"]`)
		synctest.Wait()
		d.want(t, "0", "connect recovered=false", "1")
		p.take()
		p.onConnect = func() {
			p.send(`42["e",2,"o2"]`)
			p.send(`42["e",3,"o3"]`)
			p.send(`40{"sid":"id","pid":"p"}`)
			p.send(`42["e",4,"o4"]`)
		}
		p.conn.CloseNow()
		<-time.After(2 * time.Second)
		d.want(t, "disconnect: transport close", "attempt 1", "reconnect 1", "2", "3", "connect recovered=true", "4")
		p.onConnect = func() {
			p.send(`42["e",5,"o5"]`)
			p.send(`40{"sid":"id2","pid":"p2"}`)
		}
		c.Disconnect()
		synctest.Wait() // DISCONNECT goes over another connection than what follows
		c.Connect()
		<-time.After(2 * time.Second)
		d.want(t, "disconnect: io client disconnect", "5", "connect recovered=false")
		p.conn.CloseNow()
		<-time.After(2 * time.Second)
		if got := fmt.Sprint(p.take()); got != `[40{"pid":"p","offset":"o1"} 41 40{"pid":"p","offset":"o4"} 40{"pid":"p2","offset":"o5"}]` {
			t.Errorf("the server got %s", got)
		}
	})
}
