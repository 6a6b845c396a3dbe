package redisstreams

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A front is an address whose connections go to one of several servers.
type front struct {
	t      testing.TB
	client redis.UniversalClient
	o      Options
	to     atomic.Pointer[node]
	url    string
}

// A node is a server whose clients may come back to another one.
type node struct {
	streams   *Streams
	io        *socketio.Server
	recovered chan *socketio.Socket
	joined    chan struct{}
}

func newFront(t testing.TB, client redis.UniversalClient, o Options) *front {
	f := &front{t: t, client: client, o: o}
	f.o.Logger = quiet
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.to.Load().io.ServeHTTP(w, r) }))
	t.Cleanup(h.Close)
	f.url = h.URL
	return f
}

// node starts another server, and waits until it is connected.
func (f *front) node() *node { f.t.Helper(); return f.nodeOn(f.client) }

// nodeOn is node with another way to Redis.
func (f *front) nodeOn(client redis.UniversalClient) *node {
	f.t.Helper()
	streams, err := New(client, &f.o)
	if err != nil {
		f.t.Fatal(err)
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: streams.Adapter, Recovery: &socketio.Recovery{}, Logger: quiet})
	if err != nil {
		f.t.Fatal(err)
	}
	n := &node{streams, io, make(chan *socketio.Socket, 100), make(chan struct{}, 100)}
	io.OnConnect(func(s *socketio.Socket) {
		if s.Recovered() {
			n.recovered <- s
			return
		}
		s.Join("room")
		s.Set("octets", []byte{0, 0xff})
		s.Set("name", "Ann")
		n.joined <- struct{}{}
	})
	f.t.Cleanup(func() { n.endWithin(2 * time.Second) }) // Redis may be away
	if err := streams.Ready(soon(f.t)); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// end ends a server whose Redis is there.
func (n *node) end() { n.endWithin(20 * time.Second) }

func (n *node) endWithin(d time.Duration) {
	for _, end := range []func(context.Context) error{n.io.Shutdown, n.streams.Close} {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		_ = end(ctx)
	}
}

// A listener has the numbered events that a client has got: each sender's must come in
// order, and all of them once.
type listener struct {
	*socketio.Client
	mu   sync.Mutex
	last map[string]int
	id   string // of its first connection
}

func (f *front) listen() *listener {
	f.t.Helper()
	l := &listener{last: map[string]int{}}
	c, err := socketio.Dial(soon(f.t), f.url, &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}}, Logger: quiet,
		Reconnection: socketio.Reconnection{Delay: time.Millisecond, MaxDelay: 10 * time.Millisecond},
		Setup: func(c *socketio.Client) {
			socketio.On2(c, "n", func(_ context.Context, sender string, n int) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				if last, ok := l.last[sender]; ok && n != last+1 {
					f.t.Errorf("%s: %d after %d", sender, n, last)
				}
				l.last[sender] = n
				return nil
			})
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	l.Client, l.id = c, c.ID()
	<-f.to.Load().joined
	return l
}

func (l *listener) has(sender string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[sender]
}

// talk emits numbered events until stop is called, which returns the last number.
func (n *node) talk(sender string) (stop func() int) {
	over, last := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for i := 1; ; i++ {
			n.io.To("room").Emit("n", sender, i)
			select {
			case <-tick.C:
			case <-over:
				last <- i
				return
			}
		}
	}()
	return func() int { close(over); return <-last }
}

// A client whose server ends comes back to another one, with all that it had and
// missed, while events of both flow.
func TestRecovery(t *testing.T) {
	for name, o := range map[string]Options{"default": {}, "SurviveKill": {SurviveKill: true}, "Immediate": {Immediate: true}} {
		t.Run(name, func(t *testing.T) {
			server := brokertest.Redis(t)
			o.MaxLen = 1 << 20
			recoverOften(t, connect(t, server.Addr()), o)
		})
	}
}

// The same on a cluster. There sessions are elsewhere than the stream, so that the last
// word about one may come after its client: with SurviveKill the one before is enough.
func TestRecoveryOnCluster(t *testing.T) {
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: brokertest.RedisCluster(t).Addrs()})
	t.Cleanup(func() { c.Close() })
	recoverOften(t, c, Options{MaxLen: 1 << 20, StreamCount: 2, SurviveKill: true})
}

func recoverOften(t *testing.T, client redis.UniversalClient, o Options) {
	rounds := 100
	if testing.Short() {
		rounds = 5
	}
	f := newFront(t, client, o)
	speaker := f.node()
	now := f.node()
	f.to.Store(now)
	g := f.listen()
	stop := speaker.talk("speaker")
	for i := range rounds {
		name := string(rune('a' + i%26))
		if i >= 26 {
			name += string(rune('a' + i/26))
		}
		own := now.talk(name)
		until(t, "events", func() bool { return g.has(name) > 5 })
		next := f.node()
		f.to.Store(next)
		last := own()
		now.end()
		select {
		case s := <-next.recovered:
			if s.ID() != g.id || s.Value("name") != "Ann" || !slices.Equal(s.Value("octets").([]byte), []byte{0, 0xff}) || !slices.Contains(s.Rooms(), "room") {
				t.Errorf("socket %q, want %q; name %v, octets %v, rooms %q", s.ID(), g.id, s.Value("name"), s.Value("octets"), s.Rooms())
			}
		case <-soon(t).Done():
			t.Fatal("the client has not come back")
		}
		until(t, "the last events of a server", func() bool { return g.has(name) == last })
		now = next
	}
	last := stop()
	until(t, "the last event", func() bool { return g.has("speaker") == last })
}

// While Redis does not answer, local delivery goes on after a second at most, and
// nothing comes twice or in another order afterwards.
func TestRecoveryPaused(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{})
	n, other := f.node(), f.node()
	f.to.Store(n)
	g := f.listen()
	f.to.Store(other)
	remote := f.listen()
	emit := func(i int) { n.io.To("room").Emit("n", "n", i) }
	emit(1)
	until(t, "the first event", func() bool { return g.has("n") == 1 && remote.has("n") == 1 })
	server.Pause()
	begin := time.Now()
	for i := 2; i <= 100; i++ {
		emit(i)
	}
	until(t, "local delivery", func() bool { return g.has("n") == 100 })
	if took := time.Since(begin); took > maxWait+10*time.Second {
		t.Errorf("local delivery took %v", took)
	}
	emit(101)
	until(t, "local delivery at once", func() bool { return g.has("n") == 101 })
	if remote.has("n") != 1 {
		t.Error("the broker was not paused")
	}
	server.Resume()
	until(t, "remote delivery", func() bool { return remote.has("n") == 101 })
	for i := 102; i <= 200; i++ {
		emit(i)
	}
	until(t, "all", func() bool { return g.has("n") == 200 && remote.has("n") == 200 })

	// It stops: what it had is gone, and clients of this server get all the same.
	server.Kill()
	for i := 201; i <= 300; i++ {
		emit(i)
	}
	until(t, "local delivery without a broker", func() bool { return g.has("n") == 300 })
}

// Take refuses what is not there any more, and gives a session to one server only.
func TestTake(t *testing.T) {
	was := patient
	t.Cleanup(func() { patient = was })
	patient = patient[:4] // most is not there, and is not waited for
	server := brokertest.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ReadTimeout: time.Minute}) // by itself it waits for long
	t.Cleanup(func() { client.Close() })
	f := newFront(t, client, Options{})
	logs := []*eventLog{f.node().log(), f.node().log()}
	add := func() string {
		id, err := server.Do("XADD", "socket.io", "*", "somebody", "else's")
		if err != nil {
			t.Fatal(err)
		}
		return id.(string)
	}
	old, last := add(), add()
	s := socketio.Session{ID: "sid", PID: "pid", Rooms: []string{"room"}, Connected: old, Sent: last, Lost: last}
	logs[0].Save(s)
	until(t, "the session", func() bool { n, _ := server.Do("EXISTS", key("pid")); return n == int64(1) })
	for _, offset := range []string{"-", "+", "0-0", "1-1", "01-1", "99999999999999-0", "x", "(1-0", strings.Repeat("1", 100) + "-0"} {
		if _, ok, err := logs[1].Take(soon(t), "pid", offset); ok || err != nil {
			t.Errorf("offset %q: %t, %v", offset, ok, err)
		}
	}
	if _, ok, err := logs[1].Take(soon(t), "nobody", last); ok || err != nil {
		t.Errorf("unknown session: %t, %v", ok, err)
	}
	var got atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, ok, err := logs[i%2].Take(soon(t), "pid", last)
			if err != nil {
				t.Error(err)
			}
			if ok {
				got.Add(1)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d have got the session", got.Load())
	}
	// What was trimmed is missing, and the session stays.
	logs[0].Save(s)
	until(t, "the session", func() bool { n, _ := server.Do("EXISTS", key("pid")); return n == int64(1) })
	if _, err := server.Do("XTRIM", "socket.io", "MAXLEN", "0"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := logs[0].Take(soon(t), "pid", last); ok || err != nil {
		t.Errorf("trimmed: %t, %v", ok, err)
	}
	// A server that has read all of it since needs no stream; one that has not does.
	entered := false
	if err := logs[0].Resume(soon(t), s, last, func(iter.Seq[socketio.Missed]) { entered = true }); err != nil || !entered {
		t.Errorf("Resume: %v, entered %t", err, entered)
	}
	ms, _ := parts(last)
	logs[0].torn(format(ms+1, 0))
	if err := logs[0].Resume(soon(t), s, last, nil); err != errTrimmed {
		t.Errorf("Resume: %v", err)
	}
	// Both end with their ctx while Redis stands still.
	server.Pause()
	defer server.Resume()
	for name, call := range map[string]func(context.Context) error{
		"Take":   func(ctx context.Context) error { _, _, err := logs[0].Take(ctx, "pid", last); return err },
		"Resume": func(ctx context.Context) error { return logs[0].Resume(ctx, s, last, nil) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("%s ended after %v", name, d)
		}
	}
}

// log returns the main namespace's log.
func (n *node) log() *eventLog {
	n.streams.mu.RLock()
	defer n.streams.mu.RUnlock()
	return n.streams.spaces["/"].log
}
