package conn_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

var comingsFlag = flag.Int("comings", 0, "how many connections come and go; 0 is as many as take a second")

// Whatever becomes of a server's connections, nothing of them is left: no descriptor, no
// goroutine, no memory. One connection lives on beside them all through ServeConns; through
// net/http there is none, so that the loop ends and begins again and again.
func TestComings(t *testing.T) {
	comings := *comingsFlag
	if comings == 0 {
		comings = 2000
	}
	for _, door := range []struct {
		name  string
		serve func(s *conn.Server, l net.Listener) (stop func())
		stays int // how many connections live all the time
	}{
		{"net/http", serveHTTP, 0},
		{"ServeConns", serveRaw, 1},
	} {
		t.Run(door.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := echoOrClose()
			defer door.serve(server, l)()
			for range door.stays {
				c := must(callFrom(l, 0))
				defer c.nc.Close()
				c.open()
				c.echo()
				defer c.echo()
			}
			most := figuresNow(t)
			most.goroutines += 5 * door.stays // of the loop: one that waits, and its spares
			most.heap = math.MaxInt
			come(t, l, 0, comings/20) // what is kept for the next one is made
			first := most.wait(t, comings/20)
			most.heap = first.heap + 64<<10
			come(t, l, comings/20, comings/2)
			half := most.wait(t, comings/2)
			come(t, l, comings/2, comings)
			all := most.wait(t, comings)
			t.Logf("of %d connections: after a twentieth %v; half %v; all %v", comings, first, half, all)
		})
	}
}

// echoOrClose is a server on a loop that sends back each message, and closes at that of one
// byte.
func echoOrClose() *conn.Server {
	return &conn.Server{
		Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}},
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			return func(m conn.Message) error {
				if len(m.Payload) == 1 {
					return &conn.CloseError{Code: frame.StatusNormalClosure}
				}
				return c.Write(ctx, m.Type, m.Payload)
			}
		},
		OnRefuse: func(*http.Request, error) {},
	}
}

func serveHTTP(s *conn.Server, l net.Listener) (stop func()) { return serveBehind(s, l, s) }

// serveBehind serves what h hands to s.
func serveBehind(s *conn.Server, l net.Listener, h http.Handler) (stop func()) {
	web := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	var served sync.WaitGroup
	served.Go(func() { web.Serve(l) })
	return func() { web.Close(); s.Shutdown(context.Background()); served.Wait() }
}

func serveRaw(s *conn.Server, l net.Listener) (stop func()) {
	var served sync.WaitGroup
	served.Go(func() { s.ServeConns(l) })
	return func() { s.Shutdown(context.Background()); served.Wait() }
}

// come lets the connections from one number to another come and go, a few at a time.
func come(t *testing.T, l net.Listener, from, to int) {
	t.Helper()
	next := atomic.Int64{}
	next.Store(int64(from))
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for !t.Failed() {
				n := int(next.Add(1)) - 1
				if n >= to {
					return
				}
				if err := comeAndGo(l, n); err != nil {
					t.Errorf("connection %d: %v", n, err)
				}
			}
		})
	}
	callers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// comeAndGo is the life of a client, which its number chooses.
func comeAndGo(l net.Listener, n int) (err error) {
	c, err := callFrom(l, n)
	if err != nil {
		return err
	}
	defer c.nc.Close()
	defer func() { err = errors.Join(err, c.err) }()
	ways := len(goings)
	if n%ways == 0 { // it goes in the middle of the handshake
		c.write([]byte(rawRequest("")[:rand.IntN(len(rawRequest("")))]))
		return nil
	}
	c.open()
	for range n / ways % 3 {
		c.echo()
	}
	if c.err == nil {
		goings[n%ways](c)
	}
	return nil
}

// goings are the ways to go.
var goings = []func(c *caller){
	nil, // before the handshake is done
	func(c *caller) { // closed, by us
		c.write(ofClient(wstest.Close(frame.StatusNormalClosure, "")))
		c.readAll()
	},
	func(c *caller) { // closed, by the server
		c.write(ofClient(wstest.Text("x")))
		c.expect(wstest.Close(frame.StatusNormalClosure, ""))
		c.write(ofClient(wstest.Close(frame.StatusNormalClosure, "")))
		c.readAll()
	},
	func(c *caller) { // half-closed
		c.nc.CloseWrite()
		c.readAll()
	},
	func(c *caller) {},                    // cut
	func(c *caller) { c.nc.SetLinger(0) }, // reset
	func(c *caller) { // cut in the middle of a frame
		b := ofClient(wstest.Text("a frame of which a part is sent"))
		c.write(b[:1+rand.IntN(len(b)-1)])
	},
	func(c *caller) { // reset in the middle of a frame, with output that nobody has read
		c.write(bytes.Repeat(ofClient(wstest.Text("echoed in vain")), 10))
		c.write(ofClient(wstest.Text("half"))[:7])
		c.nc.SetLinger(0)
	},
	func(c *caller) { // it breaks a rule
		c.write([]byte{0xFF, 0x80, 1, 2, 3, 4})
		c.readAll()
	},
}

// A caller is a client that speaks bytes. Its first error ends it.
type caller struct {
	nc  *net.TCPConn
	buf [512]byte
	err error
}

// callFrom connects from an address that the number chooses: an address has some 28,000
// ports, each of which rests for a minute after its use.
func callFrom(l net.Listener, n int) (*caller, error) {
	d := net.Dialer{}
	if runtime.GOOS == "linux" { // where all of 127/8 is this machine
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+n/250%8), byte(1+n%250))}
	}
	nc, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &caller{nc: nc.(*net.TCPConn)}, nil
}

// open does the handshake.
func (c *caller) open() {
	c.write([]byte(rawRequest("")))
	for n := 0; c.err == nil && !bytes.HasSuffix(c.buf[:n], []byte("\r\n\r\n")); {
		var m int
		m, c.err = c.nc.Read(c.buf[n:])
		n += m
	}
	if c.err == nil && !bytes.HasPrefix(c.buf[:], []byte("HTTP/1.1 101 ")) {
		c.err = fmt.Errorf("response %.80q", c.buf[:])
	}
}

// echo sends a message and has it back.
func (c *caller) echo() {
	f := wstest.Text("to and fro")
	c.write(ofClient(f))
	c.expect(f)
}

// ofClient is f as a client sends it.
func ofClient(f wstest.Frame) []byte {
	f.Header.Masked, f.Header.MaskKey = true, [4]byte{1, 2, 3, 4}
	return f.Append(nil)
}

// write sends b.
func (c *caller) write(b []byte) {
	if c.err == nil {
		_, c.err = c.nc.Write(b)
	}
}

// expect reads a frame.
func (c *caller) expect(f wstest.Frame) {
	want := f.Append(nil)
	got := c.buf[:len(want)]
	if c.err == nil {
		_, c.err = io.ReadFull(c.nc, got)
	}
	if c.err == nil && !bytes.Equal(got, want) {
		c.err = fmt.Errorf("got %q, want %q", got, want)
	}
}

// readAll reads up to the end that the server makes.
func (c *caller) readAll() {
	if c.err == nil {
		_, c.err = io.Copy(io.Discard, c.nc)
	}
}

// figures are what connections may leave behind.
type figures struct {
	descriptors, goroutines int
	heap, resident          int // bytes
}

func (f figures) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %d KB of heap, %d KB resident", f.descriptors, f.goroutines, f.heap>>10, f.resident>>10)
}

// figuresNow returns what there is. Descriptors and resident memory are counted where the
// system tells of them.
func figuresNow(t *testing.T) (f figures) {
	t.Helper()
	runtime.GC()
	runtime.GC() // which frees what the first one has left in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap, f.goroutines = int(m.HeapAlloc), runtime.NumGoroutine()
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		f.descriptors = len(entries)
	}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(statm), new(int), &f.resident)
		f.resident *= os.Getpagesize()
	}
	return f
}

// wait waits until there is no more than f of anything, but for 8 bytes a connection.
func (f figures) wait(t *testing.T, conns int) (now figures) {
	t.Helper()
	for patience := time.Now().Add(30 * time.Second); ; <-time.After(10 * time.Millisecond) {
		now = figuresNow(t)
		if now.descriptors <= f.descriptors && now.goroutines <= f.goroutines && now.heap-8*conns <= f.heap {
			return now
		}
		if time.Now().After(patience) {
			t.Fatalf("of %d connections something is left: %v, want %v at most", conns, now, f)
		}
	}
}
