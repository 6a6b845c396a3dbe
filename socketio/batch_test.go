package socketio_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// What a batch delivers arrives in order, by Flush at the latest, and with it what comes
// from elsewhere and from volatile events.
func TestBatch(t *testing.T) {
	var l *socketio.Local
	o := socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	for _, tt := range []struct {
		name string
		o    socketio.Options
	}{{"plain", socketio.Options{}}, {"recovery", socketio.Options{Recovery: &socketio.Recovery{}}}} {
		t.Run(tt.name, func(t *testing.T) {
			o := o
			o.Recovery = tt.o.Recovery
			inBubble(t, &o, func(s *site) {
				r, polling := s.client(), s.poller()
				polling.post("40")
				_, _, _ = s.request("GET", polling.query, "")
				synctest.Wait() // nothing is unsent, or a volatile event would be dropped
				var got []string
				go func() {
					for range 6 {
						p := r.read()
						got = append(got, p)
					}
				}()
				var b socketio.Batch
				send := func(b *socketio.Batch, i int, f socketio.Flags) {
					t.Helper()
					event := socketio.Encoded{Data: fmt.Appendf(nil, `["e",%d]`, i)}
					if err := b.Broadcast(l, socketio.Target{Flags: f}, event); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 3 {
					b.More(true)
					send(&b, i, socketio.Flags{Volatile: i == 1})
				}
				var none *socketio.Batch // as if it came from this node
				none.More(true)
				send(none, 3, socketio.Flags{})
				none.Flush()
				b.More(false)
				send(&b, 4, socketio.Flags{})
				synctest.Wait()
				if len(got) > 0 {
					t.Errorf("%q has come before Flush", got)
				}
				b.Flush()
				synctest.Wait()
				if len(got) != 5 {
					t.Errorf("%q has come", got)
				}
				send(&b, 5, socketio.Flags{})
				synctest.Wait()
				for i, p := range got {
					if want := fmt.Sprintf(`2["e",%d`, i); len(p) < len(want) || p[:len(want)] != want {
						t.Errorf("%q, want %s", p, want)
					}
				}
				if len(got) != 6 {
					t.Errorf("%d packets", len(got))
				}
				_, body, _ := s.request("GET", polling.query, "")
				if body == "" {
					t.Error("a client on long-polling has got nothing")
				}
			})
		})
	}
}

// However much an adapter has at hand, what is held leaves in between. It does not wait for
// handlers.
func TestBatchLeaves(t *testing.T) {
	var l *socketio.Local
	o := socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	const clients, events = 64, 64
	inBubble(t, &o, func(s *site) {
		sockets := make(chan *socketio.Socket, clients)
		s.io.OnConnect(func(x *socketio.Socket) { sockets <- x })
		var came [clients]atomic.Int32
		for i := range clients {
			r := s.client()
			go func() {
				for range events + 2 {
					r.read()
					came[i].Add(1)
				}
			}()
		}
		want := func(n int) {
			t.Helper()
			synctest.Wait()
			for i := range came {
				if got := int(came[i].Load()); got != n {
					t.Fatalf("client %d has got %d events, want %d", i, got, n)
				}
			}
		}
		want(0) // whoever wrote the answers to CONNECT has ended
		var b socketio.Batch
		for range events {
			b.More(true)
			b.Broadcast(l, socketio.Target{}, encodedEvent)
		}
		want(0)
		b.More(true)
		want(events)
		b.Broadcast(l, socketio.Target{}, encodedEvent)
		want(events)
		b.More(true) // far from the most again
		want(events)
		hold := make(chan struct{})
		var asked atomic.Int32
		close(sockets)
		for x := range sockets {
			x.OnAnyOutgoing(func(string, []any) { asked.Add(1); <-hold })
		}
		b.Broadcast(l, socketio.Target{}, encodedEvent)
		b.Flush()
		if want(events + 2); asked.Load() != clients {
			t.Errorf("%d handlers were called", asked.Load())
		}
		close(hold)
	})
}

// An event for more than a thousand sessions leaves at once, whatever the adapter has at
// hand: few such events fill a batch, and holding them back gains nothing.
func TestBatchOfMany(t *testing.T) {
	var l *socketio.Local
	o := socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	inBubble(t, &o, func(s *site) {
		r := s.client()
		for range 1024 {
			s.poller().post("40")
		}
		synctest.Wait() // all have joined
		var b socketio.Batch
		start := time.Now()
		b.More(true)
		b.Broadcast(l, socketio.Target{}, encodedEvent)
		r.want(`2["y"]`)
		if waited := time.Since(start); waited > 0 {
			t.Errorf("it has come after %v", waited)
		}
		b.Flush()
	})
}

// A batch can be used again and again, also for one client.
func TestBatchAgain(t *testing.T) {
	var l *socketio.Local
	o := socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	inBubble(t, &o, func(s *site) {
		r := s.client()
		var b socketio.Batch
		for range 3 {
			synctest.Wait() // what came before has left, and whoever wrote it has ended
			b.More(true)
			b.Broadcast(l, socketio.Target{}, encodedEvent)
			r.wantNothing()
			b.Flush()
			r.want(`2["y"]`)
		}
	})
}

// A batch holds nothing of sessions that have ended.
func TestBatchOfEnded(t *testing.T) {
	var l *socketio.Local
	o := socketio.Options{Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}}
	inBubble(t, &o, func(s *site) {
		r := s.client()
		var b socketio.Batch
		b.More(true)
		b.Broadcast(l, socketio.Target{}, encodedEvent)
		s.io.DisconnectSockets(true)
		r.want(`2["y"]`) // it leaves before the end
		b.Flush()
		b.Flush()
	})
}
