package conn_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A story is what those who have to do with a connection have seen of it, and when.
type story struct {
	start time.Time // zero: it has no times
	mu    sync.Mutex
	lines map[string][]string // by who has seen it
}

func (s *story) tell(who, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	if !s.start.IsZero() {
		line = fmt.Sprintf("%v %s", time.Since(s.start), line)
	}
	s.lines[who] = append(s.lines[who], line)
}

func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, who := range slices.Sorted(maps.Keys(s.lines)) {
		fmt.Fprintf(&b, "%s:\n\t%s\n", who, strings.Join(s.lines[who], "\n\t"))
	}
	return b.String()
}

// A stage is a server with one connection, and its peer.
type stage struct {
	*story
	s *conn.Server
	c *conn.Conn
	p *wstest.Peer
}

// endings are ways to end a connection. What the peer says is a message for the callback,
// which does what is called by that name in inCallback.
var endings = map[string]func(*stage){
	"peer closes":        func(g *stage) { g.p.Send(wstest.Close(4000, "bye")) },
	"peer closes late":   func(g *stage) { g.p.Send(wstest.Text("slow"), wstest.Close(4000, "bye")) },
	"peer ends":          func(g *stage) { g.p.CloseWrite() },
	"peer ends late":     func(g *stage) { g.p.Send(wstest.Text("slow"), wstest.Text("1")); g.p.CloseWrite() },
	"peer ends in frame": func(g *stage) { g.p.SendBytes([]byte{0x81}); g.p.CloseWrite() },
	"peer cuts":          func(g *stage) { g.p.Close() },
	"peer cuts late":     func(g *stage) { g.p.Send(wstest.Text("slow"), wstest.Text("1")); g.p.Close() },
	"bad frame":          func(g *stage) { g.p.SendBytes([]byte{0xFF, 0x80, 0, 0, 0, 0}) },
	"bad frame late":     func(g *stage) { g.p.Send(wstest.Text("slow")); g.p.SendBytes([]byte{0xFF, 0x80, 0, 0, 0, 0}) },
	"slow message":       func(g *stage) { g.p.SendBytes([]byte{0x81, 0x85, 0, 0}) },
	"silence":            func(g *stage) { g.p.Send(wstest.Text("1")) },
	"Close":              func(g *stage) { g.close("other", g.c.Close) },
	"Close twice":        func(g *stage) { g.close("other", g.c.Close); g.close("second", g.c.Close) },
	"Close while busy": func(g *stage) {
		g.p.Send(wstest.Text("slow"), wstest.Text("1"))
		synctest.Wait()
		g.close("other", g.c.Close)
	},
	"CloseNow": func(g *stage) { g.tell("other", "CloseNow: %v", g.c.CloseNow()) },
	"CloseNow while busy": func(g *stage) {
		g.p.Send(wstest.Text("slow"), wstest.Text("1"))
		synctest.Wait()
		g.tell("other", "CloseNow: %v", g.c.CloseNow())
	},
	"Shutdown": func(g *stage) { g.tell("other", "Shutdown: %v", g.s.Shutdown(context.Background())) },
	"Shutdown while busy": func(g *stage) {
		g.p.Send(wstest.Text("slow"), wstest.Text("1"))
		synctest.Wait()
		g.tell("other", "Shutdown: %v", g.s.Shutdown(context.Background()))
	},
	"Shutdown in time": func(g *stage) {
		g.p.Send(wstest.Text("slow"), wstest.Text("1"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		g.tell("other", "Shutdown: %v", g.s.Shutdown(ctx))
	},
	"Read waits": func(g *stage) {
		g.p.Send(wstest.Text("Close"), wstest.Text("1"))
		_, _, err := g.c.Read(context.Background())
		g.tell("other", "Read: %v", err)
	},
	"Read with a ctx": func(g *stage) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _, err := g.c.Read(ctx)
		g.tell("other", "Read: %v", err)
		g.p.Send(wstest.Text("1"), wstest.Close(4000, ""))
	},
	"Receive waits": func(g *stage) {
		conn.Receive(g.c, func(m conn.Message) error { g.tell("second", "%s", m.Payload); return nil },
			func(err error) { g.tell("second", "ended: %v", err) })
		g.p.Send(wstest.Text("1"), wstest.Close(4000, ""))
	},
	"CloseRead": func(g *stage) {
		ctx := g.c.CloseRead(context.Background())
		context.AfterFunc(ctx, func() { g.tell("second", "CloseRead: %v", context.Cause(ctx)) })
		g.p.Send(wstest.Text("1"), wstest.Close(4000, ""))
	},
	"late Receive": func(g *stage) {
		g.p.Send(wstest.Close(4000, ""))
		<-g.c.Done()
		conn.Receive(g.c, nil, func(err error) { g.tell("second", "ended: %v", err) })
	},
}

func (g *stage) close(who string, f func(frame.StatusCode, string) error) {
	g.tell(who, "Close: %v", f(4001, "here"))
}

// inCallback has what a message says.
var inCallback = map[string]func(c *conn.Conn) error{
	"1":          func(*conn.Conn) error { return nil },
	"slow":       func(*conn.Conn) error { <-time.After(3 * time.Second); return nil },
	"Close":      func(c *conn.Conn) error { return c.Close(4002, "callback") },
	"CloseNow":   func(c *conn.Conn) error { return c.CloseNow() },
	"error":      func(*conn.Conn) error { return errEnough },
	"CloseError": func(*conn.Conn) error { return &conn.CloseError{Code: 4003, Reason: "no"} },
	"panic":      func(*conn.Conn) error { panic("callback") },
	"Goexit":     func(*conn.Conn) error { runtime.Goexit(); return nil },
	"flood": func(c *conn.Conn) error {
		for {
			if err := c.Write(context.Background(), conn.Binary, make([]byte, 60<<10)); err != nil {
				return err
			}
		}
	},
	"Ping": func(c *conn.Conn) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return c.Ping(ctx)
	},
}

// However a connection ends, those who have to do with it see the same, at the same time,
// whether a goroutine or a loop serves it.
func TestEndsOnBothShells(t *testing.T) {
	all := maps.Clone(endings)
	for word := range inCallback {
		all["callback: "+word] = func(g *stage) {
			g.p.Send(wstest.Text("1"), wstest.Text(word), wstest.Text("1"))
			if word == "slow" || word == "1" {
				g.p.Send(wstest.Close(4000, ""))
			}
		}
	}
	for name, end := range all {
		t.Run(name, func(t *testing.T) {
			stories := make(map[string]bool)
			onShells(t, func(t *testing.T, o *conn.Options) {
				stories[stageFor(t, o, end, !strings.Contains(name, "flood"))] = true
			})
			if len(stories) != 1 {
				t.Error(strings.Join(slices.Collect(maps.Keys(stories)), "\nother shell:\n"))
			}
		})
	}
}

// stageFor lets a connection end, and returns the story. The peer reads only if reads is set.
func stageFor(t *testing.T, o *conn.Options, end func(*stage), reads bool) string {
	g := &stage{story: &story{lines: make(map[string][]string)}}
	if reads { // WriteTimeout is longer on a stream that is no socket
		g.start = time.Now()
	}
	begun := make(chan *conn.Conn, 1)
	g.s = &conn.Server{
		Options: &conn.AcceptOptions{Conn: *o},
		OnError: func(_ *conn.Conn, err error) { g.tell("OnError", "%v", err) },
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			begun <- c
			context.AfterFunc(ctx, func() { g.tell("ctx", "%v", context.Cause(ctx)) })
			return func(m conn.Message) error {
				g.tell("callback", "%s", m.Payload)
				err := errors.New("no word")
				if f := inCallback[string(m.Payload)]; f != nil {
					err = f(c)
				}
				g.tell("callback", "%v", err)
				return err
			}
		},
	}
	w := serveConns(t, g.s)
	nc := w.connect()
	io.WriteString(nc, rawRequest(""))
	response, err := http.ReadResponse(bufio.NewReaderSize(nc, 16), nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response, err)
	}
	g.p, g.c = wstest.NewPeer(t, nc, conn.RoleClient), <-begun
	g.p.Timeout = 0
	var peer sync.WaitGroup
	if reads {
		peer.Go(func() { g.watch(wstest.NewPeer(t, nc, conn.RoleClient)) })
	}
	synctest.Wait() // the callback has the turn to read
	end(g)
	<-g.c.Done()
	g.tell("Done", "%v", g.c.Write(context.Background(), conn.Text, nil))
	<-time.After(time.Minute)
	nc.Close()
	peer.Wait()
	return g.String()
}

// asClient returns f as a client sends it.
func asClient(f wstest.Frame) []byte {
	f.Header.Masked = true
	return f.Append(nil)
}

// watch tells what the peer sees, up to the end of the stream. It answers a Close frame.
func (g *stage) watch(p *wstest.Peer) {
	p.Timeout = 0
	for {
		f, err := p.Next()
		if errors.Is(err, net.ErrClosed) {
			err = io.EOF // of a peer that cuts, it may see either
		}
		if err != nil {
			g.tell("peer", "%v", err)
			p.Close()
			return
		}
		g.tell("peer", "%v", f)
		if f.Header.Opcode == frame.Close {
			p.NetConn().Write(asClient(wstest.Close(4000, "")))
		}
	}
}
