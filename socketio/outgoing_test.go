package socketio_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// While a socket's goroutine is busy HandlerQueueBytes of events of other nodes wait for
// OnAnyOutgoing, and no more, but always one. The client gets all of them.
func TestOutgoingWaits(t *testing.T) {
	var l *socketio.Local
	o := &socketio.Options{Limits: socketio.Limits{HandlerQueueBytes: 100_000}, Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	large := strings.Repeat("x", 20_000)
	events := map[int]socketio.Encoded{ // by how many wait
		4: {Data: []byte(`["e","` + strings.Repeat("x", 25_000-256-2*64-8) + `"]`)}, // just so much
		3: {Data: []byte(`["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), Attachments: [][]byte{[]byte(large), []byte(large[:10_000])}},
		1: {Data: []byte(`["e","` + strings.Repeat(large, 6) + `"]`)},
		// What an event takes beside its JSON counts as well, and what becomes of that.
		100_000 / 325: {Data: []byte(`["e"]`)},
		15:            {Data: []byte(`["e"` + strings.Repeat(",{}", 46) + `]`)},
	}
	inBubble(t, o, func(s *site) {
		hold := make(chan struct{})
		var seen atomic.Int32
		sockets := s.sockets(func(x *socketio.Socket) {
			x.OnEvent("busy", func(*socketio.Event) error { <-hold; return nil })
			x.OnAnyOutgoing(func(string, []any) { seen.Add(1) })
		})
		r := s.client()
		<-sockets
		for want, event := range events {
			r.send(`2["busy"]`)
			synctest.Wait()
			seen.Store(0)
			for range want + 3 {
				if err := l.Broadcast(socketio.Target{}, event); err != nil {
					t.Error(err)
				}
				r.read()
				for range event.Attachments {
					r.read()
				}
			}
			hold <- struct{}{}
			synctest.Wait()
			if got := int(seen.Load()); got != want {
				t.Errorf("the handler has seen %d events of %.20s, want %d", got, event.Data, want)
			}
		}
	})
}

// An event of another node that a socket has been sent is told, though the client leaves while the
// socket is busy; nothing is told any more once handlers hear of the end.
func TestOutgoingAndTheEnd(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, there *site) {
		var told []string
		sockets := here.sockets(func(x *socketio.Socket) {
			x.OnEvent("busy", func(*socketio.Event) error { time.Sleep(time.Second); return nil })
			x.OnAnyOutgoing(func(event string, _ []any) { told = append(told, event) })
			x.OnDisconnecting(func(socketio.Reason) { time.Sleep(time.Second); told = append(told, "disconnecting") })
			x.OnDisconnect(func(socketio.Reason) { told = append(told, "disconnect") })
		})
		for end, leave := range map[string]func(*raw){
			"leaves": func(r *raw) { r.send("1") },
			"lost":   func(r *raw) { r.c.CloseNow() },
		} {
			told = nil
			r := here.client()
			<-sockets
			r.send(`2["busy"]`)
			synctest.Wait()
			there.io.Emit("sent")
			r.want(`2["sent"]`)
			leave(r)
			time.Sleep(time.Second * 3 / 2)
			there.io.Emit("late")
			time.Sleep(time.Second)
			synctest.Wait()
			if want := []string{"sent", "disconnecting", "disconnect"}; !slices.Equal(told, want) {
				t.Errorf("%s: told %q, want %q", end, told, want)
			}
		}
	})
}

// Handlers of several sockets get the same arguments of an event that a Log delivers late, which
// are not the caller's any more.
func TestOutgoingKept(t *testing.T) {
	b := &logBus{late: true}
	inLog(t, b, &socketio.Recovery{}, func(here, _ *site) {
		var told atomic.Int32
		sockets := here.sockets(func(x *socketio.Socket) {
			x.OnAnyOutgoing(func(_ string, args []any) {
				if got := fmt.Sprintf("%s", args); got != "[x]" {
					t.Errorf("told of %s", got)
				}
				told.Add(1)
			})
		})
		for range 3 {
			here.client()
			<-sockets
		}
		data := []byte("x")
		args := []any{data}
		here.io.Emit("e", args...)
		data[0], args[0] = 'y', nil
		b.release()
		synctest.Wait()
		if told.Load() != 3 {
			t.Errorf("told %d sockets", told.Load())
		}
	})
}

// A handler of OnAnyOutgoing that sends its client away keeps the call from it.
func TestCallAllSentAway(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sockets := s.sockets(func(x *socketio.Socket) {
			x.OnAnyOutgoing(func(string, []any) { x.Disconnect(false) })
		})
		r := s.client()
		<-sockets
		if _, err := socketio.CallAll[any](context.Background(), s.io, "q"); err == nil {
			t.Error("no error")
		}
		r.want("1")
		r.wantNothing()
	})
}

// A call that a handler of OnAnyOutgoing has broken off awaits no acknowledgement.
func TestCallAllBrokenOff(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{PendingAcks: 2}}, func(s *site) {
		panics := true
		sockets := s.sockets(func(x *socketio.Socket) {
			x.OnAnyOutgoing(func(string, []any) {
				if panics {
					panic("handler")
				}
			})
		})
		r := s.client()
		<-sockets
		call := func() (panicked bool, err error) {
			defer func() { panicked = recover() != nil }()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err = socketio.CallAll[any](ctx, s.io, "q")
			return false, err
		}
		for range 2 {
			if panicked, _ := call(); !panicked {
				t.Error("no panic")
			}
		}
		panics = false
		go call()
		if got := r.read(); !strings.HasSuffix(got, `["q"]`) {
			t.Errorf("read %q", got)
		}
		time.Sleep(time.Second)
	})
}
