package redisstreams

import (
	"context"
	"fmt"
	"iter"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A meanwhile is a hook that calls f after each XRANGE that has been answered.
type meanwhile struct{ f func() }

func (meanwhile) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (m meanwhile) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "xrange" {
			m.f()
		}
		return err
	}
}

func (meanwhile) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Where there is much to do the tail is full, and drops an event for each one that comes, also
// while a client's events before it are read from the stream: the client gets all of them, once.
func TestTailMovesMeanwhile(t *testing.T) {
	server := brokertest.Redis(t)
	client := connect(t, server.Addr())
	f := newFront(t, client, Options{})
	here, there := f.node(), f.node()
	l := here.log()
	l.mu.Lock()
	l.recovery.EventBytes = 2000 // some eight events
	l.mu.Unlock()
	sent := 0
	emit := func(rooms ...string) {
		t.Helper()
		for _, room := range rooms {
			sent++
			before := l.reader.done.position()
			if err := there.io.To(room).Emit("n", sent); err != nil {
				t.Fatal(err)
			}
			until(t, "the event", func() bool { return l.reader.done.position() != before })
		}
	}
	emit("other")
	from := l.reader.done.position()
	sent = 0
	emit("mine")
	for range 20 {
		emit("other")
	}
	var reads atomic.Int64
	client.AddHook(meanwhile{func() {
		if n := reads.Add(1); n <= 3 {
			emit("mine", "other")
		}
	}})
	s := socketio.Session{ID: "sid", PID: "pid", Rooms: []string{"mine"}, Connected: from, Lost: from}
	var got []string
	err := l.Resume(soon(t), s, "", func(missed iter.Seq[socketio.Missed]) {
		for m := range missed {
			got = append(got, string(m.Event.Data))
		}
	})
	want := []string{`["n",1]`}
	for i := range min(reads.Load(), 3) {
		want = append(want, fmt.Sprintf(`["n",%d]`, 22+2*i))
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Resume: %v; got %q, want %q", err, got, want)
	}
	if reads.Load() == 0 {
		t.Error("nothing was read from the stream")
	}
}
