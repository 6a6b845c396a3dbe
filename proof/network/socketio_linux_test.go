package network

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A talk is a Socket.IO client that gets numbered events, two a second, from a server that
// gives it back what it has missed.
type talk struct {
	t                *testing.T
	w                *world
	io               *socketio.Server
	joined, returned diary // of the client: new, and with what it had
	lost, srvLost    diary // ends at the client, and at the server
	heard            diary
	emitted          int // once stopped is closed
	stop, stopped    chan struct{}
}

func startTalk(t *testing.T, w *world, transports ...string) *talk {
	t.Helper()
	k := &talk{t: t, w: w, stop: make(chan struct{}), stopped: make(chan struct{})}
	k.joined.name, k.returned.name, k.lost.name, k.srvLost.name, k.heard.name = "joins", "returns", "ends at the client", "ends at the server", "events"
	var err error
	k.io, err = socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	k.io.OnConnect(func(s *socketio.Socket) {
		if !s.Recovered() {
			_ = s.Join("room")
		}
		s.OnDisconnect(func(r socketio.Reason) { k.srvLost.note(r) })
	})
	w.serve(t, k.io)
	next := 1
	client, err := socketio.Dial(t.Context(), "http://"+serverAddress, &socketio.DialOptions{
		Logger: quiet,
		Engine: engineio.DialOptions{Transports: transports, HTTPClient: w.web()},
		Setup: func(c *socketio.Client) {
			socketio.On(c, "n", func(_ context.Context, n int) error {
				if n != next {
					t.Errorf("event %d, want %d", n, next)
				}
				next = n + 1
				k.heard.note(n)
				return nil
			})
			c.OnConnect(func() {
				if c.Recovered() {
					k.returned.note(c.Transport())
				} else {
					k.joined.note(c.Transport())
				}
			})
			c.OnDisconnect(func(r socketio.Reason, _ error) { k.lost.note(r) })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.down(false)
		client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		k.io.Shutdown(ctx)
		select {
		case <-client.Done():
		case <-ctx.Done():
			t.Error("the client is not done")
		}
	})
	k.joined.await(t, 0, 20*time.Second)
	time.Sleep(time.Second) // its handler has run
	go k.emit()
	return k
}

func (k *talk) emit() {
	defer close(k.stopped)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-k.stop:
			return
		}
		k.emitted++
		if err := k.io.To("room").Emit("n", k.emitted); err != nil {
			k.t.Error(err)
		}
	}
}

// all stops the events, and waits for the last one.
func (k *talk) all() int {
	k.t.Helper()
	time.Sleep(2 * time.Second)
	close(k.stop)
	<-k.stopped
	k.heard.await(k.t, k.emitted-1, 30*time.Second)
	return k.emitted
}

var carriers = [][]string{{"websocket"}, {"polling"}}

// A Socket.IO client whose way to the server is gone is missed after 45 s at most, which are
// pingInterval and pingTimeout, on either side. It comes back with what it had, and gets what it
// has missed, each event once.
func TestSocketGone(t *testing.T) {
	t.Parallel()
	for _, transports := range carriers {
		for _, outage := range []time.Duration{5 * time.Second, 90 * time.Second, 0} {
			name := fmt.Sprintf("link down for %.0f s", outage.Seconds())
			if outage == 0 {
				name = "NAT forgets"
			}
			t.Run(name+", "+transports[0], func(t *testing.T) {
				long(t)
				k := startTalk(t, newWorld(t, 1500, ordinary), transports...)
				time.Sleep(4 * time.Second)
				fault := time.Now()
				if outage == 0 {
					k.w.forget()
				} else {
					k.w.down(true)
					time.Sleep(outage)
					k.w.down(false)
				}
				repaired := time.Now()
				if outage == 5*time.Second {
					n := k.all()
					if k.lost.count()+k.srvLost.count() > 0 {
						t.Errorf("%d ends at the client, %d at the server", k.lost.count(), k.srvLost.count())
					}
					gap := k.heard.longestGap()
					between(t, "events come again", gap, 5*time.Second, 12*time.Second)
					row(t, name, transports[0], "never", "never", "events come again "+seconds(gap)+" after the last", fmt.Sprintf("%d events, none lost or doubled", n))
					return
				}
				client, server := k.lost.await(t, 0, cutAfter+2*late), k.srvLost.await(t, 0, cutAfter+2*late)
				back := k.returned.await(t, 0, backWithin+2*late)
				returned, most := back.at.Sub(repaired), backWithin
				if outage == 0 {
					returned, most = back.at.Sub(client.at), atOnce
				}
				n := k.all()
				between(t, "the client notices", client.at.Sub(fault), 0, cutAfter)
				between(t, "the server notices", server.at.Sub(fault), 0, cutAfter)
				between(t, "the client is back", returned, 0, most)
				if k.joined.count() != 1 {
					t.Errorf("the client was new %d times", k.joined.count())
				}
				row(t, name, transports[0], seconds(server.at.Sub(fault))+": "+server.what, seconds(client.at.Sub(fault))+": "+client.what,
					seconds(returned), fmt.Sprintf("%d events, none lost or doubled", n))
			})
		}
	}
}
