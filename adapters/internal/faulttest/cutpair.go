package faulttest

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// A pair is two servers, each with a client that is in the room "room".
type pair struct {
	faults   *faults
	recovery bool
	a, b     *station
	turn     int // how many words there were
}

// A station is one of the servers.
type station struct {
	name   string
	node   Node
	done   func() // after Close of the node
	io     *socketio.Server
	web    *http.Server
	in     *pipe.Listener
	said   chan string // what other servers have emitted to this one
	client *person
	began  time.Time

	mu   sync.Mutex
	sent int // events of the traffic
}

// serve starts a server with a client.
func (p *pair) serve(t *testing.T, c *Cuts, name string, w *wire) *station {
	s := &station{name: name, in: pipe.Listen(), said: make(chan string, 100), began: time.Now()}
	s.node, s.done = c.Node(t, w.dial)
	o := &socketio.Options{Adapter: s.node.Adapter, Logger: slog.New(slog.DiscardHandler)}
	if c.Recovery {
		o.Recovery = &socketio.Recovery{}
	}
	io, err := socketio.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.io = io
	io.OnConnect(func(x *socketio.Socket) {
		if !x.Recovered() {
			x.Join("room")
		}
		socketio.Handle(x, "join", func(_ context.Context, room string) (string, error) { return room, x.Join(room) })
		x.Emit("joined")
	})
	io.OnServerEvent("hi", func(e *socketio.ServerEvent) {
		var text string
		if e.Decode(0, &text) != nil {
			p.faults.add("an event of a server that can't be decoded")
		}
		if e.WantsAck() {
			_ = e.Ack(text)
			return
		}
		s.said <- text
	})
	s.web = &http.Server{Handler: io, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(discard{}, "", 0)}
	go s.web.Serve(s.in)
	s.client = p.dial(func() *station { return s })
	return s
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func ready(s *station, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.node.Ready(ctx)
}

// A person is a client of a server.
type person struct {
	*socketio.Client
	joined chan bool // whether it has come back
	said   chan string

	mu    sync.Mutex
	lines []net.Conn
	ears  map[string]*hearing // by the server's name
}

// A hearing is what a client has of a server's traffic.
type hearing struct{ last, count int }

// dial connects a client to the server that to returns at that time.
func (p *pair) dial(to func() *station) *person {
	x := &person{joined: make(chan bool, 10), said: make(chan string, 1000), ears: make(map[string]*hearing)}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := to().in.DialContext(ctx, network, addr)
		if err == nil {
			x.mu.Lock()
			x.lines = append(x.lines, nc)
			x.mu.Unlock()
		}
		return nc, err
	}}
	ctx, cancel := context.WithTimeout(context.Background(), talkTime)
	defer cancel()
	c, err := socketio.Dial(ctx, "http://example.com/", &socketio.DialOptions{
		Engine:       engineio.DialOptions{HTTPClient: &http.Client{Transport: transport}, Transports: []string{"websocket"}},
		Reconnection: socketio.Reconnection{Delay: time.Millisecond, MaxDelay: 10 * time.Millisecond},
		Logger:       slog.New(slog.DiscardHandler),
		Setup: func(c *socketio.Client) {
			c.OnEvent("joined", func(*socketio.Event) error { x.joined <- c.Recovered(); return nil })
			socketio.On(c, "say", func(_ context.Context, text string) error { x.said <- text; return nil })
			socketio.Handle(c, "ask", func(_ context.Context, text string) (string, error) { return text, nil })
			socketio.On2(c, "n", func(_ context.Context, from string, n [2]int64) error {
				p.hear(x, from, int(n[0]), time.Duration(n[1]), to())
				return nil
			})
		},
	})
	if err != nil {
		p.faults.add("a client can't connect: %w", err)
		return x
	}
	x.Client = c
	<-x.joined
	return x
}

// hear takes an event of the traffic.
func (p *pair) hear(x *person, from string, n int, sent time.Duration, at *station) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.ears[from]
	if e == nil {
		e = new(hearing)
		x.ears[from] = e
	}
	if n <= e.last {
		p.faults.add("a client of %s has got event %d of %s after %d", at.name, n, from, e.last)
	}
	e.last = n
	e.count++
	if d := time.Since(at.began) - sent; from == at.name && x == at.client && d > late {
		p.faults.add("event %d of %s has taken %v to its own client", n, from, d)
	}
}

// heard returns the last event of a server's traffic that the client of s has got.
func (s *station) heard(from string) int {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if e := s.client.ears[from]; e != nil {
		return e.last
	}
	return 0
}

// came returns how many there were.
func (s *station) came(from string) int {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if e := s.client.ears[from]; e != nil {
		return e.count
	}
	return 0
}

// emit emits the next events of the traffic at once. An error says that others will not get one.
func (s *station) emit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.sent++
		_ = s.io.To("room").Emit("n", s.name, [2]int64{int64(s.sent), int64(time.Since(s.began))})
	}
}

// emitted returns how many events of the traffic there were.
func (s *station) emitted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// checkOwn checks that the client of s has everything that s has emitted.
func (s *station) checkOwn(f *faults) {
	if got, want := s.came(s.name), s.emitted(); got != want {
		f.add("the client of %s has got %d of %d events of its own server", s.name, got, want)
	}
}

// traffic emits numbered events from both servers, until stop is called. All have arrived at
// the clients of the same server then.
func (p *pair) traffic() (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(fast)
		defer tick.Stop()
		for i := 0; ; i++ {
			if i == int(time.Second/fast) {
				tick.Reset(sparse)
			}
			for _, s := range []*station{p.a, p.b} {
				s.emit(1)
			}
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
		time.Sleep(late)
		synctest.Wait()
	}
}

// end ends a, for which Redis may be gone.
func (p *pair) end(w *wire, limit time.Duration) {
	p.a.end(p.faults, limit, w.how != gone || !w.isCut())
}

// end ends a server. It must take no longer than limit, and succeed if Redis is there.
func (s *station) end(f *faults, limit time.Duration, there bool) {
	if s.client.Client != nil {
		s.client.Close()
		<-s.client.Done()
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"Shutdown", s.io.Shutdown}, {"Close", s.node.Close}} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := part.do(ctx)
		cancel()
		if took := time.Since(began); took > limit+100*time.Millisecond {
			f.add("%s of %s has taken %v", part.name, s.name, took)
		}
		if err != nil && (there || !errors.Is(err, context.DeadlineExceeded)) {
			f.add("%s of %s: %w", part.name, s.name, err)
		}
	}
	s.web.Close()
	s.in.Close()
	s.done()
}
