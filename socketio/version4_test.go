package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/socketio"
)

// withVersion4 are options that let in the clients of Socket.IO 2.
func withVersion4() *socketio.Options {
	return &socketio.Options{Engine: engineio.Options{AllowEIO3: true}}
}

// dial2 returns a client of Socket.IO 2. Its sid is that of the session.
func (s *site) dial2() *raw {
	s.t.Helper()
	c, _, err := conn.Dial(s.t.Context(), "ws://example.com/socket.io/?EIO=3&transport=websocket&q=1", &conn.DialOptions{
		Handshake: handshake.DialOptions{HTTPClient: s.http},
		Conn:      conn.Options{Limits: conn.Limits{Message: -1, PingInterval: -1}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	r := &raw{site: s, c: c}
	var open struct{ SID string }
	if packet := r.next(); packet[0] != '0' || json.Unmarshal([]byte(packet[1:]), &open) != nil {
		s.t.Fatalf("open packet %q", packet)
	}
	r.sid = open.SID
	return r
}

// The server makes the client join the root namespace, without data. The ids of
// sockets are what the client takes them for.
func TestVersion4Connect(t *testing.T) {
	inBubble(t, withVersion4(), func(s *site) {
		ids := make(chan string, 10)
		s.io.OnConnect(func(s *socketio.Socket) { ids <- s.ID() })
		s.io.Of("/nsp").OnConnect(func(s *socketio.Socket) { ids <- s.ID() })
		r := s.dial2()
		r.want("0")
		if got := <-ids; got != r.sid {
			t.Errorf("ID() = %q, want the session's, %q", got, r.sid)
		}
		r.send("0/nsp,")
		r.want("0/nsp,")
		if got := <-ids; got != "/nsp#"+r.sid {
			t.Errorf("ID() = %q, want /nsp#%s", got, r.sid)
		}
		r.send("1/nsp,")
		r.send("0/nsp")
		r.want("0/nsp,")
		if got := <-ids; got != "/nsp#"+r.sid {
			t.Errorf("ID() of the second = %q, want /nsp#%s", got, r.sid)
		}
		s.io.Of("/nsp").To("/nsp#" + r.sid).Emit("found")
		r.want(`2/nsp,["found"]`)
	})
}

// On polling the root namespace is granted with the first GET after the open packet,
// as Node does it.
func TestVersion4Polling(t *testing.T) {
	inBubble(t, withVersion4(), func(s *site) {
		s.io.OnConnect(echo)
		_, open, _ := s.request("GET", "?EIO=3&transport=polling", "")
		length, packet, _ := strings.Cut(open, ":")
		if length != fmt.Sprint(len(packet)) || packet[:2] != "0{" {
			t.Fatalf("open packet %q", open)
		}
		p := poller{s, "?EIO=3&transport=polling&sid=" + strings.Split(packet, `"`)[3]}
		p.wantGet("2:40")
		p.post(`45:451-["message",{"_placeholder":true,"num":0}]6:b4AQI=`)
		p.wantGet("\x00\x05\x00\xff" + `451-["message-back",{"_placeholder":true,"num":0}]` + "\x01\x03\xff\x04\x01\x02")
	})
}

// Events and acknowledgements, with and without binary data, are those of version 5.
func TestVersion4Events(t *testing.T) {
	inBubble(t, withVersion4(), func(s *site) {
		s.io.OnConnect(echo)
		r := s.dial2()
		r.want("0")
		r.send(`2["message",1,"ž"]`)
		r.want(`2["message-back",1,"ž"]`)
		r.send(`27["message-with-ack",{"a":[]}]`)
		r.want(`37[{"a":[]}]`)
		r.send(`51-8["message-with-ack",{"_placeholder":true,"num":0}]`)
		r.sendBinary("\x04\x01\x02")
		r.want(`61-8[{"_placeholder":true,"num":0}]`)
		r.want("binary:\x04\x01\x02")
	})
}

// A broadcast reaches the clients of both versions.
func TestVersion4Broadcast(t *testing.T) {
	inBubble(t, withVersion4(), func(s *site) {
		older, newer := s.dial2(), s.client()
		older.want("0")
		s.io.Emit("news", []byte{7})
		for _, r := range []*raw{older, newer} {
			r.want(`51-["news",{"_placeholder":true,"num":0}]`)
		}
		older.want("binary:\x04\x07")
		newer.want("binary:\x07")
	})
}

// The query of a namespace is the auth. The query of the request is not.
func TestVersion4Query(t *testing.T) {
	inBubble(t, withVersion4(), func(s *site) {
		got := make(chan socketio.Handshake, 1)
		s.io.OnConnect(func(s *socketio.Socket) { got <- s.Handshake() })
		s.io.OfPattern(regexp.MustCompile("^/nsp$")).OnConnect(func(s *socketio.Socket) { got <- s.Handshake() })
		r := s.dial2()
		r.want("0")
		if h := <-got; string(h.Auth) != "{}" || h.Query.Get("q") != "1" {
			t.Errorf("auth %s, query %v", h.Auth, h.Query)
		}
		for _, tt := range []struct{ query, auth string }{
			{"?token=secret&x=a%20b%26%C5%BE", `{"token":"secret","x":"a b\u0026ž"}`},
			{"?a=1&a=2&b", `{"a":"2","b":""}`},
			{"?", "{}"},
			{"?a=%zz&b=1", `{"b":"1"}`},
			{"", "{}"},
		} {
			r.send("0/nsp" + tt.query + ",")
			r.want("0/nsp,")
			if h := <-got; string(h.Auth) != tt.auth || h.Query.Get("q") != "1" {
				t.Errorf("%s: auth %s, query %v; want %s", tt.query, h.Auth, h.Query, tt.auth)
			}
			r.send("1/nsp,")
		}
	})
}

// A client that is refused gets the data of the error, or else its text.
func TestVersion4Refused(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("not you"), `4/nsp,"not you"`},
		{&socketio.Error{Message: "not you"}, `4/nsp,"not you"`},
		{&socketio.Error{Message: "not you", Data: map[string]int{"code": 42}}, `4/nsp,{"code":42}`},
		{&socketio.Error{Message: "not you", Data: func() {}}, `4/nsp,"not you"`},
	} {
		inBubble(t, withVersion4(), func(s *site) {
			s.io.Of("/nsp").Use(func(context.Context, *socketio.Socket) error { return tt.err })
			r := s.dial2()
			r.want("0")
			r.send("0/nsp,")
			r.want(tt.want)
			r.send("0/unknown,")
			r.want(`4/unknown,{"message":"Invalid namespace"}`)
			r.send(`2["lives"]`)
			r.wantNothing()
		})
	}
}

// If middleware refuses the root namespace the client is told so, unasked, and
// closed unless it joins another namespace in time.
func TestVersion4RootRefused(t *testing.T) {
	o := withVersion4()
	o.Limits.ConnectTimeout = time.Second
	inBubble(t, o, func(s *site) {
		s.io.Use(func(context.Context, *socketio.Socket) error { return errors.New("members only") })
		s.io.Of("/open")
		r, other := s.dial2(), s.dial2()
		r.want(`4"members only"`)
		other.want(`4"members only"`)
		other.send("0/open,")
		other.want("0/open,")
		time.Sleep(time.Second)
		r.wantClosed()
		other.wantNothing()
	})
}

// A CONNECT to the root namespace, which the server has made the client join, breaks
// the rules.
func TestVersion4JoinsTwice(t *testing.T) {
	for _, packet := range []string{"0", "0/nsp,"} {
		inBubble(t, withVersion4(), func(s *site) {
			s.io.Of("/nsp")
			r := s.dial2()
			r.want("0")
			r.send("0/nsp?a=1,")
			r.want("0/nsp,")
			r.send(packet)
			r.wantClosed()
			if want := "second CONNECT to a namespace"; !strings.Contains(s.log.String(), want) {
				t.Errorf("log %q, want %s", s.log.String(), want)
			}
		})
	}
}

// The server and the client leave namespaces as in version 5.
func TestVersion4Disconnect(t *testing.T) {
	inBubble(t, withVersion4(), func(s *site) {
		reasons := make(chan socketio.Reason, 2)
		s.io.OnConnect(func(s *socketio.Socket) {
			s.OnDisconnect(func(r socketio.Reason) { reasons <- r })
			s.OnEvent("leave", func(*socketio.Event) error { s.Disconnect(false); return nil })
		})
		r := s.dial2()
		r.want("0")
		r.send(`2["leave"]`)
		r.want("1")
		r.send("0") // it may ask for the root namespace now
		r.want("0")
		r.send("1")
		for _, want := range []socketio.Reason{socketio.ServerNamespaceDisconnect, socketio.ClientNamespaceDisconnect} {
			if got := <-reasons; got != want {
				t.Errorf("the reason is %v, want %v", got, want)
			}
		}
		r.wantNothing()
	})
}

// With recovery, clients of Socket.IO 2 connect as without: they know neither pid
// nor offset.
func TestVersion4Recovery(t *testing.T) {
	o := withVersion4()
	o.Recovery = &socketio.Recovery{}
	inBubble(t, o, func(s *site) {
		recovered := make(chan bool, 2)
		s.io.OnConnect(func(s *socketio.Socket) { recovered <- s.Recovered() })
		for range 2 {
			r := s.dial2()
			r.want("0")
			if <-recovered {
				t.Error("recovered")
			}
			r.c.CloseNow()
			synctest.Wait()
		}
	})
}

// One that says in its query which pid another client has is new all the same, and the other
// client can still come back: what it had belongs to an id that a client of Socket.IO 2 can't have.
func TestVersion4ClaimsNothing(t *testing.T) {
	for name, adapter := range map[string]func(*socketio.Local) (socketio.Adapter, error){"here": nil, "log": new(logBus).join} {
		o := withVersion4()
		o.Recovery, o.Adapter = &socketio.Recovery{}, adapter
		inBubble(t, o, func(s *site) {
			sockets := make(chan *socketio.Socket, 2)
			s.io.Of("/nsp").OnConnect(func(x *socketio.Socket) { sockets <- x })
			other := s.dial()
			other.connect("/nsp,")
			<-sockets
			synctest.Wait()
			other.cut()
			r := s.dial2()
			r.want("0")
			r.send("0/nsp?pid=" + other.pid + ",")
			r.want("0/nsp,")
			if x := <-sockets; x.Recovered() || x.ID() != "/nsp#"+r.sid {
				t.Errorf("%s: recovered: %t, ID() = %q", name, x.Recovered(), x.ID())
			}
			if again := s.comeBackWith("/nsp,", fmt.Sprintf(`{"pid":%q}`, other.pid)); again.sid != other.sid {
				t.Errorf("%s: the other client has not come back", name)
			}
		})
	}
}

// Nor has it a session that a Log could keep.
func TestVersion4HasNoSession(t *testing.T) {
	b := new(logBus)
	o := withVersion4()
	o.Recovery, o.Adapter = &socketio.Recovery{}, b.join
	inBubble(t, o, func(s *site) {
		r, newer := s.dial2(), s.client()
		r.want("0")
		synctest.Wait()
		for sid, want := range map[string]bool{r.sid: false, newer.sid: true} {
			if session, ok := b.nodes[0].local.Session(sid); ok != want || ok != (session.ID == sid) {
				t.Errorf("session %+v, %t", session, ok)
			}
		}
	})
}

// A client of Socket.IO 2 is told no pid, so that it can't come back, and takes no
// place among those that can.
func TestVersion4IsNotRemembered(t *testing.T) {
	o := withVersion4()
	o.Recovery = &socketio.Recovery{}
	inBubble(t, o, func(s *site) {
		sockets := s.sockets(nil)
		r := s.dial2()
		r.want("0")
		x := <-sockets
		r.cut()
		if err := x.Emit("x"); err == nil {
			t.Error("an event for it was kept")
		}
	})
}
