package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/bench/proc"
	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/bench/servers/shell"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/socketio"
)

// sendBuffer is that of the kernel for each connection, in bytes. A peer that does not read
// is noticed when it is full, and by default it grows to megabytes.
const sendBuffer = 64 << 10

// recovery is for how long and how much the server keeps what clients have missed that come
// back: so short that the memory for it has stopped growing when the warm-up ends, and about as
// much as readers that stop put there.
var recovery = socketio.Recovery{MaxAge: 20 * time.Second, EventBytes: 64 << 20}

// A Note is the argument of all events.
type Note struct {
	N   int    `json:"n"`
	At  int64  `json:"at"` // when it was to be sent, in nanoseconds of the sender's clock
	Pad string `json:"pad,omitempty"`
}

// A State is what the server says about itself.
type State struct {
	Goroutines int
	Heap       uint64 // bytes in use; live, if it was collected just before
	Holes      uint64 // bytes of the heap between what is in use, where other sizes don't fit
	Stacks     uint64 // bytes of the goroutines' stacks
	Plain      int    // connections of conn that are in a room
	Sessions   int    // of Socket.IO
	Errors     int64  // that the library has logged as such
}

// serve is the process of the server: plain WebSocket on /ws, and Socket.IO on its path.
func serve(name string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	counted := &errorLog{Handler: slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})}
	slog.SetDefault(slog.New(counted))
	members := rooms{of: make(map[string]map[*conn.Conn]struct{})}
	plain := &conn.Server{Options: &conn.AcceptOptions{}, Handle: members.serve}
	plain.Options.Handshake.Deflate = &handshake.DeflateOptions{}
	loop := shell.Of(name)
	plain.Options.Conn.Loop = loop
	io, err := newSocketIO(loop)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", plain)
	io.Register(mux)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(sendBuffer)
		return ctx
	}
	go s.Serve(l)
	state := func(args json.RawMessage) (any, error) {
		var settle bool
		if err := json.Unmarshal(args, &settle); err != nil {
			return nil, err
		}
		if settle {
			runtime.GC()
			debug.FreeOSMemory() // the second collection, with which the pools are empty
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		sessions := io.Sessions()
		return State{Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc, Holes: m.HeapInuse - m.HeapAlloc, Stacks: m.StackInuse,
			Plain: members.size(), Sessions: sessions.Polling + sessions.WebSocket, Errors: counted.n.Load()}, nil
	}
	proc.Serve(l.Addr().String(), map[string]proc.Handler{
		"state": state, "cpu": harness.CPU, "profile": harness.Profile, "goroutines": writeProfile("goroutine"), "heap": writeProfile("heap"),
	})
	return nil
}

// writeProfile returns the command that writes a profile to the file that is its argument.
func writeProfile(name string) proc.Handler {
	return func(args json.RawMessage) (any, error) {
		var file string
		if err := json.Unmarshal(args, &file); err != nil {
			return nil, err
		}
		f, err := os.Create(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		level := 0
		if name == "goroutine" {
			level = 1
		}
		return nil, pprof.Lookup(name).WriteTo(f, level)
	}
}

func newSocketIO(loop *conn.Loop) (*socketio.Server, error) {
	engine := engineio.Options{Loop: loop, Deflate: &handshake.DeflateOptions{}}
	quiet := slog.New(&leveled{Handler: slog.Default().Handler()})
	io, err := socketio.NewServer(&socketio.Options{Engine: engine, Recovery: &recovery, Logger: quiet})
	if err != nil {
		return nil, err
	}
	io.OnConnect(func(s *socketio.Socket) {
		auth, err := socketio.Auth[struct{ Room string }](s)
		if err != nil {
			s.Disconnect(true)
			return
		}
		if auth.Room != "" && s.Join(auth.Room) != nil {
			return // it has ended
		}
		socketio.On(s, "echo", func(_ context.Context, n Note) error {
			s.Emit("echo", n) // an error says that the socket has ended
			return nil
		})
		socketio.On2(s, "publish", func(_ context.Context, room string, n Note) error { return io.To(room).Emit("cast", n) })
		s.Emit("joined")
	})
	return io, nil
}

// rooms are those of plain WebSocket.
type rooms struct {
	mu sync.Mutex
	of map[string]map[*conn.Conn]struct{}
	n  int
}

// serve puts the connection into the room of the request, and sends its messages back. One
// that begins with a ">" and the name of a room goes to that room instead.
func (r *rooms) serve(ctx context.Context, c *conn.Conn, request *http.Request) func(conn.Message) error {
	if room := request.URL.Query().Get("room"); room != "" {
		r.join(room, c)
		context.AfterFunc(ctx, func() { r.leave(room, c) })
	}
	return func(m conn.Message) error {
		after, ok := bytes.CutPrefix(m.Payload, []byte(">"))
		if !ok {
			return c.Write(ctx, m.Type, m.Payload)
		}
		room, rest, _ := strings.Cut(string(after), " ")
		r.cast(room, []byte("c "+rest))
		return nil
	}
}

func (r *rooms) join(room string, c *conn.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[room] == nil {
		r.of[room] = make(map[*conn.Conn]struct{})
	}
	r.of[room][c] = struct{}{}
	r.n++
}

func (r *rooms) leave(room string, c *conn.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of[room], c)
	r.n--
	if len(r.of[room]) == 0 {
		delete(r.of, room)
	}
}

// cast sends a message to a room. Send does not wait: who does not keep up is closed.
func (r *rooms) cast(room string, text []byte) {
	p := conn.NewPrepared(conn.Text, text)
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.of[room] {
		c.Send(p)
	}
}

func (r *rooms) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// An errorLog counts what is logged at the level Error: panics, and errors of handlers.
type errorLog struct {
	slog.Handler
	n atomic.Int64
}

// Handle prints the first few.
func (e *errorLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelError || e.n.Add(1) > 20 {
		return nil
	}
	return e.Handler.Handle(ctx, r)
}

// leveled is the handler of Socket.IO's server: clients that break rules are no news.
type leveled struct{ slog.Handler }

// Enabled says that only errors are.
func (l *leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
