package socketio_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// A namespace that clients make as they come, addressed as a whole.
func TestTemplate(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		parent := s.io.OfPattern(regexp.MustCompile(`^/x\d$`))
		for _, name := range []string{"/x1,", "/x2,"} {
			s.dial().connect(name)
		}
		synctest.Wait()
		if list, err := parent.FetchSockets(s.t.Context()); err != nil || len(list) != 2 {
			t.Errorf("FetchSockets: %v, %v", list, err)
		}
		if err := parent.Emit("disconnect"); err == nil {
			t.Error("a reserved name")
		}
		if err := parent.Local().In("nobody").SocketsJoin("x"); err != nil {
			t.Error(err)
		}
	})
}

// An adapter that fails for a namespace which a client asks for refuses it.
func TestChildAdapterFails(t *testing.T) {
	fail := func(l *socketio.Local) (socketio.Adapter, error) {
		if l.Name() != "/" {
			return nil, errors.New("the broker is away")
		}
		return nil, nil
	}
	inBubble(t, &socketio.Options{Adapter: fail}, func(s *site) {
		s.io.OfPattern(regexp.MustCompile(`^/x$`))
		r := s.dial()
		r.send("0/x,")
		r.want(`4/x,{"message":"Invalid namespace"}`)
		if !strings.Contains(s.log.String(), "the broker is away") {
			t.Errorf("log %q", s.log)
		}
	})
}

// What can't be decoded or encoded is an error where it is asked for.
func TestErrors(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnEvent("number", func(e *socketio.Event) error {
				_, err := e.Args()
				return err
			})
			for _, name := range []string{strings.Repeat("x", 200), strings.Repeat("y", 100)} {
				socketio.On(n, name, func(context.Context, int) error { return nil })
			}
			if n.Transport() != "websocket" {
				t.Errorf("transport %q", n.Transport())
			}
			if err := n.Emit("x", make(chan int)); err == nil {
				t.Error("a channel")
			}
			if err := n.Volatile().Emit("x", make(chan int)); err == nil {
				t.Error("a channel, volatile")
			}
			if _, err := socketio.CallAll[any](n.Context(), n, "x", make(chan int)); err == nil {
				t.Error("a channel, to be acknowledged")
			}
		})
		r := s.client()
		r.send(`2["number",1e999]`)
		r.send(`2["` + strings.Repeat("x", 200) + `","text"]`)
		r.send(`2["` + strings.Repeat("y", 100) + `","text"]`)
		r.wantNothing()
		got := s.log.String()
		if strings.Count(got, "event failed") != 3 || !strings.Contains(got, `event="\"`+strings.Repeat("x", 100)+`\"...`) ||
			!strings.Contains(got, `event="\"`+strings.Repeat("y", 100)+`\"" `) {
			t.Errorf("log %q", got)
		}
	})
}

// Of takes a name with and without its slash; the default logger is slog's.
func TestOf(t *testing.T) {
	io := newServer(t, nil)
	if io.Of("x") != io.Of("/x") || io.Of("").Name() != "/" || slog.Default() == nil {
		t.Error("names of namespaces")
	}
}

// A slow value takes its time to read its own JSON, and shows what it saw.
type slow struct {
	begin, end chan struct{}
	text       string
}

func (s *slow) UnmarshalJSON(b []byte) error {
	close(s.begin)
	<-s.end
	s.text = string(b)
	return nil
}

// Arguments that are still being decoded when the handlers have returned keep
// their memory: the next events use other.
func TestDecodeAfterHandler(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		v := &slow{begin: make(chan struct{}), end: make(chan struct{})}
		decoded := make(chan error)
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnEvent("slow", func(e *socketio.Event) error {
				go func() { decoded <- e.Decode(0, v) }()
				<-v.begin
				return nil
			})
			n.OnEvent("next", func(e *socketio.Event) error { return nil })
		})
		r := s.client()
		r.send(`2["slow","original"]`)
		for range 100 {
			r.send(`2["next","something else"]`)
		}
		synctest.Wait()
		close(v.end)
		if err := <-decoded; err != nil || v.text != `"original"` {
			t.Errorf("decoded %s, %v", v.text, err)
		}
	})
}

// An acknowledgement that nobody asks for goes nowhere.
func TestServerEventUnasked(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, there *site) {
		acked := make(chan error, 1)
		there.io.OnServerEvent("e", func(e *socketio.ServerEvent) {
			if e.WantsAck() {
				t.Error("it wants an answer")
			}
			acked <- e.Ack(1)
		})
		if err := here.io.ServerSideEmit("e"); err != nil {
			t.Error(err)
		}
		if err := <-acked; err != nil {
			t.Error(err)
		}
	})
}

// Nobody is told that a client has left before it was answered.
func TestErrorTooLate(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			x.OnEvent("x", func(*socketio.Event) error {
				x.Disconnect(false)
				return &socketio.Error{Message: "no"}
			})
		})
		r := s.client()
		r.send(`21["x"]`)
		r.want("1")
		synctest.Wait()
		if got := s.log.String(); strings.Contains(got, "data of an Error") || strings.Count(got, "event failed") != 1 {
			t.Errorf("log: %s", got)
		}
	})
}

// The data of an Error is for a client that has not been answered yet, and is not looked at
// otherwise.
func TestErrorAfterAnswer(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			x.OnEvent("x", func(e *socketio.Event) error {
				if err := e.Ack("done"); err != nil {
					t.Error(err)
				}
				return &socketio.Error{Message: "no", Data: make(chan int)}
			})
		})
		r := s.client()
		r.send(`21["x"]`)
		r.want(`31["done"]`)
		r.wantNothing()
		if got := s.log.String(); strings.Contains(got, "data of an Error") || strings.Count(got, "event failed") != 1 {
			t.Errorf("log: %s", got)
		}
	})
}

// A client is answered once, also if one answer is written while another is.
func TestAckInAck(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			x.OnEvent("x", func(e *socketio.Event) error {
				return e.Ack(jsonFunc(func() ([]byte, error) { return []byte(`"second"`), e.Ack("first") }))
			})
		})
		r := s.client()
		r.send(`21["x"]`)
		r.want(`31["first"]`)
		r.wantNothing()
	})
}
