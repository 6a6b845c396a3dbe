package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// An explosive is a value that can be neither encoded nor decoded.
type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("MarshalJSON") }

func (*explosive) UnmarshalJSON([]byte) error { panic("UnmarshalJSON") }

// A panic in CallAll is one of the handler that has called it, and costs its socket,
// not the process.
func TestCallAllPanics(t *testing.T) {
	for name, call := range map[string]func(x *socketio.Socket){
		"MarshalJSON": func(x *socketio.Socket) { socketio.CallAll[int](x.Context(), x.Namespace(), "q", explosive{}) },
		"runtime.Goexit was called": func(x *socketio.Socket) {
			x.OnAnyOutgoing(func(string, []any) { runtime.Goexit() })
			socketio.CallAll[int](x.Context(), x.Namespace(), "q")
		},
		"UnmarshalJSON": func(x *socketio.Socket) { socketio.CallAll[explosive](x.Context(), x.Namespace(), "q") },
		"OnAnyOutgoing": func(x *socketio.Socket) {
			x.OnAnyOutgoing(func(string, []any) { panic("OnAnyOutgoing") })
			socketio.CallAll[int](x.Context(), x.Namespace(), "q")
		},
	} {
		inBubble(t, nil, func(s *site) {
			s.io.OnConnect(func(x *socketio.Socket) {
				x.OnEvent("x", func(*socketio.Event) error { call(x); return nil })
			})
			r := s.client()
			r.send(`2["x"]`)
			if name == "UnmarshalJSON" {
				r.want(`20["q"]`)
				r.send("30[1]")
			}
			r.want("1")
			synctest.Wait()
			if log := s.log.String(); !strings.Contains(log, name) || s.io.Count() != 0 {
				t.Errorf("%s: %d sockets, log %s", name, s.io.Count(), log)
			}
		})
	}
}

// A handler of an event of another server, or of an answer from there, that panics
// does not end the goroutine of the adapter, or the process.
func TestPanicsFromOtherNodes(t *testing.T) {
	b := new(bus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		there := newServer(t, &socketio.Options{Adapter: b.join, Logger: slog.New(slog.DiscardHandler)})
		s.io.OnServerEvent("x", func(*socketio.ServerEvent) { panic("server event") })
		if err := there.ServerSideEmit("x"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if log := s.log.String(); !strings.Contains(log, "server event") {
			t.Errorf("log %s", log)
		}
		s.io.OnServerEvent("y", func(*socketio.ServerEvent) { runtime.Goexit() })
		if err := there.ServerSideEmit("y"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if log := s.log.String(); !strings.Contains(log, "runtime.Goexit was called") {
			t.Errorf("log %s", log)
		}
		r := s.client()
		synctest.Wait()
		caught := make(chan any)
		go func() {
			defer func() { caught <- recover() }()
			socketio.CallAll[explosive](s.t.Context(), there, "q")
		}()
		r.want(`20["q"]`)
		r.send("30[1]")
		if v := <-caught; v == nil {
			t.Error("no panic")
		}
	})
}

// A parser that can't encode what comes from another node, or a handler of OnAnyOutgoing that
// panics with it, costs no more than on this node, and not the goroutine of the adapter.
func TestPanicsOnAdaptersGoroutine(t *testing.T) {
	bad := socketio.Encoded{Data: []byte(`["x"]`)}
	good := socketio.Encoded{Data: []byte(`["y"]`)}
	to := socketio.Target{}
	deliver := map[string]func(*socketio.Local, socketio.Encoded) error{
		"Broadcast": func(l *socketio.Local, e socketio.Encoded) error { return l.Broadcast(to, e) },
		"Batch": func(l *socketio.Local, e socketio.Encoded) error {
			var b socketio.Batch
			b.More(true)
			defer b.Flush()
			return b.Broadcast(l, to, e)
		},
		"Call": func(l *socketio.Local, e socketio.Encoded) error {
			_, _, err := l.Call(to, e)
			return err
		},
		"Deliver": func(l *socketio.Local, e socketio.Encoded) error { return l.Deliver(to, e, "1") },
	}
	for name, f := range deliver {
		o := &socketio.Options{Parser: panicsAt(`["x"`)}
		if name == "Deliver" {
			o.Recovery = &socketio.Recovery{}
		}
		var l *socketio.Local
		b := new(logBus)
		o.Adapter = func(x *socketio.Local) (socketio.Adapter, error) { l = x; return b.join(x) }
		inBubble(t, o, func(s *site) {
			sockets := s.sockets(nil)
			here := s.client()
			first := <-sockets
			next := s.client()
			<-sockets
			if err := f(l, bad); err == nil {
				t.Errorf("%s: no error", name)
			}
			first.OnAnyOutgoing(func(event string, _ []any) { panic("handler of " + event) })
			if err := f(l, good); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, r := range []*raw{here, next} {
				if got := r.read(); r == next && !strings.Contains(got, `["y"`) {
					t.Errorf("%s: read %q", name, got)
				}
			}
			synctest.Wait()
			if first.Connected() || s.io.Count() != 1 {
				t.Errorf("%s: connected: %t, and %d are left", name, first.Connected(), s.io.Count())
			}
			if log := s.log.String(); strings.Count(log, "panic while encoding") != 1 || strings.Count(log, "handler panicked") != 1 {
				t.Errorf("%s: log %s", name, log)
			}
		})
	}
}

// An event of this node that a Log delivers late is lost if the parser can't encode it, and no
// more than that.
func TestParserPanicsLate(t *testing.T) {
	b := &logBus{late: true}
	o := &socketio.Options{Adapter: b.join, Recovery: &socketio.Recovery{}, Parser: panicsAt(`["x"`)}
	inBubble(t, o, func(s *site) {
		r := s.client()
		for _, event := range []string{"x", "y"} {
			if err := s.io.Emit(event); err != nil {
				t.Error(err)
			}
		}
		b.release()
		if got, _ := offset(t, r.read()); got != `2["y"]` {
			t.Errorf("read %q", got)
		}
		if log := s.log.String(); strings.Count(log, "panic while encoding") != 1 {
			t.Errorf("log %s", log)
		}
	})
}

// A client that another node sends away goes, also if the parser can't tell it, and does not come
// back.
func TestParserPanicsAtDisconnectFromOtherNode(t *testing.T) {
	b := new(bus)
	p := fragile{fail: func(p *parser.Packet) {
		if p.Type == parser.Disconnect {
			panic("parser")
		}
	}}
	inBubble(t, &socketio.Options{Adapter: b.join, Parser: p, Recovery: &socketio.Recovery{}}, func(s *site) {
		there := newServer(t, &socketio.Options{Adapter: b.join, Logger: slog.New(slog.DiscardHandler)})
		clients := []*raw{s.client(), s.client()}
		synctest.Wait()
		if err := there.DisconnectSockets(false); err != nil {
			t.Error(err)
		}
		start := time.Now()
		for _, r := range clients {
			r.wantClosed()
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("closed after %v", d)
		}
		synctest.Wait()
		if log := s.log.String(); s.io.Count() != 0 || strings.Count(log, "panic while encoding") != 2 {
			t.Errorf("%d sockets are left, log %s", s.io.Count(), log)
		}
		if again := s.comeBackWith("", fmt.Sprintf(`{"pid":%q}`, clients[0].pid)); again.sid == clients[0].sid {
			t.Error("it came back")
		}
	})
}

// Each handler of the end is called, whichever of them panics, and the client may
// come back.
func TestEndPanics(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		var told []string
		s.io.OnConnect(func(x *socketio.Socket) {
			for _, name := range []string{"one", "two"} {
				x.OnDisconnecting(func(socketio.Reason) { told = append(told, "disconnecting "+name); panic(name) })
				x.OnDisconnect(func(socketio.Reason) { told = append(told, "disconnect "+name); panic(name) })
			}
		})
		r := s.client()
		synctest.Wait()
		r.cut()
		if want := []string{"disconnecting one", "disconnecting two", "disconnect one", "disconnect two"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		if got := strings.Count(s.log.String(), "handler panicked"); got != 4 {
			t.Errorf("%d panics in the log, want 4", got)
		}
		if again := s.comeBackWith("", fmt.Sprintf(`{"pid":%q}`, r.pid)); again.sid != r.sid {
			t.Error("not recovered")
		}
	})
}

// A fragile parser fails to encode some packets.
type fragile struct {
	packet.Text
	fail func(*parser.Packet)
}

func (f fragile) Encode(p *parser.Packet) ([]byte, [][]byte) {
	f.fail(p)
	return f.Text.Encode(p)
}

// panicsAt returns a parser that can't encode data that begins with a prefix.
func panicsAt(prefix string) parser.Parser {
	return fragile{fail: func(p *parser.Packet) {
		if strings.HasPrefix(string(p.Data), prefix) {
			panic("parser")
		}
	}}
}

// A parser that panics costs an event, and leaves no lock held.
func TestParserPanics(t *testing.T) {
	io := newServer(t, &socketio.Options{Recovery: &socketio.Recovery{}, Parser: panicsAt(`["x"`)})
	emit := func(event string) (panicked bool) {
		defer func() { panicked = recover() != nil }()
		io.Emit(event)
		return false
	}
	if !emit("x") {
		t.Error("no panic")
	}
	done := make(chan bool, 1)
	go func() { done <- emit("y") }()
	select {
	case panicked := <-done:
		if panicked {
			t.Error("a panic")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a lock is still held")
	}
	io.Shutdown(t.Context())
}

// A client whose CONNECT the parser can't answer is refused. It was never connected, so handlers
// of OnDisconnect hear nothing of it.
func TestParserPanicsInConnect(t *testing.T) {
	for name, o := range map[string]*socketio.Options{"recovery": recovering, "no recovery": {}} {
		inBubble(t, &socketio.Options{Recovery: o.Recovery, Parser: panicsAt(`{"sid":`)}, func(s *site) {
			s.io.Use(func(_ context.Context, x *socketio.Socket) error {
				x.OnDisconnect(func(socketio.Reason) { t.Errorf("%s: the end was told", name) })
				return nil
			})
			sockets := s.sockets(nil)
			r := s.dial()
			r.send("0")
			r.want(`4{"message":"Internal error"}`)
			r.wantNothing()
			if s.io.Count() != 0 || len(sockets) != 0 {
				t.Errorf("%s: %d sockets, %d have connected", name, s.io.Count(), len(sockets))
			}
		})
	}
}

// If the parser can't tell a client of its end, the connection closes: the socket does not stay
// behind, and the process lives.
func TestParserPanicsAtEnd(t *testing.T) {
	refuses := func(io *socketio.Server, _ func(socketio.Reason)) {
		io.Use(func(context.Context, *socketio.Socket) error { return errors.New("no") })
	}
	disconnects := func(io *socketio.Server, told func(socketio.Reason)) {
		io.OnConnect(func(x *socketio.Socket) {
			x.OnDisconnect(told)
			x.OnEvent("x", func(*socketio.Event) error { x.Disconnect(false); return nil })
		})
	}
	for name, row := range map[string]struct {
		at     parser.Type
		fail   func()
		server func(io *socketio.Server, told func(socketio.Reason))
		want   []socketio.Reason
	}{
		"refused, panic":       {parser.ConnectError, func() { panic("parser") }, refuses, nil},
		"refused, Goexit":      {parser.ConnectError, runtime.Goexit, refuses, nil},
		"disconnected, panic":  {parser.Disconnect, func() { panic("parser") }, disconnects, []socketio.Reason{socketio.ServerNamespaceDisconnect}},
		"disconnected, Goexit": {parser.Disconnect, runtime.Goexit, disconnects, []socketio.Reason{socketio.ForcedClose}},
	} {
		p := fragile{fail: func(p *parser.Packet) {
			if p.Type == row.at {
				row.fail()
			}
		}}
		inBubble(t, &socketio.Options{Parser: p}, func(s *site) {
			var told []socketio.Reason
			row.server(s.io, func(r socketio.Reason) { told = append(told, r) })
			r := s.dial()
			r.send("0")
			if row.at == parser.Disconnect {
				r.read()
				r.send(`2["x"]`)
			}
			r.wantClosed()
			synctest.Wait()
			if s.io.Count() != 0 || !slices.Equal(told, row.want) {
				t.Errorf("%s: %d sockets are left, told %v, want %v", name, s.io.Count(), told, row.want)
			}
			what := "panic=parser "
			if strings.HasSuffix(name, "Goexit") {
				what = `panic="runtime.Goexit was called"`
			}
			if log := s.log.String(); strings.Count(log, "panic while encoding") != 1 || !strings.Contains(log, `panic while encoding" `+what) {
				t.Errorf("%s: log %s", name, log)
			}
		})
	}
}

// A Log that delivers at once has not delivered an event that the parser can't encode: that is the
// error of Emit.
func TestParserPanicsInLog(t *testing.T) {
	b := new(logBus)
	o := &socketio.Options{Adapter: b.join, Recovery: &socketio.Recovery{}, Parser: panicsAt(`["x"`)}
	inBubble(t, o, func(s *site) {
		r := s.client()
		if err := s.io.Emit("x"); err == nil {
			t.Error("no error")
		}
		if err := s.io.Emit("y"); err != nil {
			t.Error(err)
		}
		if got, _ := offset(t, r.read()); got != `2["y"]` {
			t.Errorf("read %q", got)
		}
	})
}

// A remoteLog resumes on a goroutine of its own.
type remoteLog struct{ socketio.Log }

func (l remoteLog) Resume(ctx context.Context, s socketio.Session, offset string, enter func(iter.Seq[socketio.Missed])) error {
	done := make(chan error)
	go func() { done <- l.Log.Resume(ctx, s, offset, enter) }()
	return <-done
}

// A client that has missed an event that the parser can't encode comes back to all others. If the
// parser can't even tell it that it is let in, it is refused. Both are so on the goroutine of the
// adapter, too.
func TestParserPanicsInResume(t *testing.T) {
	for _, remote := range []bool{false, true} {
		for _, at := range []string{`["x"`, `{"sid":`} {
			b := new(logBus)
			failing := false
			o := &socketio.Options{Recovery: &socketio.Recovery{}, Parser: fragile{fail: func(p *parser.Packet) {
				if failing && strings.HasPrefix(string(p.Data), at) {
					panic("parser")
				}
			}}}
			o.Adapter = func(l *socketio.Local) (socketio.Adapter, error) {
				a, err := b.join(l)
				if remote {
					a = remoteLog{a.(socketio.Log)}
				}
				return a, err
			}
			inBubble(t, o, func(s *site) {
				r := s.client()
				synctest.Wait()
				s.io.Emit("first")
				_, last := offset(t, r.read())
				r.cut()
				s.io.Emit("x")
				s.io.Emit("y")
				s.io.Emit("x", "last")
				failing = true
				claim := fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, last)
				if at != `["x"` {
					again := s.dial()
					again.send("0" + claim)
					again.want(`4{"message":"Internal error"}`)
					return
				}
				again := s.comeBackWith("", claim)
				got, last := offset(t, again.read())
				if again.sid != r.sid || got != `2["y"]` {
					t.Errorf("on its own goroutine %t: read %q, sid %q, want %q", remote, got, again.sid, r.sid)
				}
				again.cut()
				if sent := b.sessions[r.pid].Sent; sent != last {
					t.Errorf("the session says that it was sent %s, and it got %s", sent, last)
				}
			})
		}
	}
}

// An adapter that encodes the data of a socket survives a MarshalJSON that panics, and is told of
// what no other node could decode.
func TestEncodeForAdapters(t *testing.T) {
	for _, v := range []any{map[string]any{"a": explosive{}}, nested(socketio.MaxDepth + 3)} {
		if e, err := socketio.Encode(v); err == nil {
			t.Errorf("%v is encoded as %s", v, e.Data)
		}
	}
	e, err := socketio.Encode(nested(socketio.MaxDepth + 2))
	var v any
	if err != nil || e.Decode(&v) != nil {
		t.Errorf("as deep as may be: %v, %v", err, e.Decode(&v))
	}
}
