package conn_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// deflate is what the handshake agrees on where messages may be compressed.
var deflate = &handshake.Deflate{
	ServerNoContextTakeover: true,
	ClientNoContextTakeover: true,
	ServerMaxWindowBits:     15,
	ClientMaxWindowBits:     15,
}

// A shape is a way to send one message.
type shape struct {
	name   string
	frames func(message string) []wstest.Frame
}

var shapes = []shape{
	{"plain", func(m string) []wstest.Frame { return []wstest.Frame{wstest.Text(m)} }},
	{"fragmented", func(m string) []wstest.Frame {
		a, b := len(m)/3, len(m)/2
		return []wstest.Frame{wstest.Text(m[:a]).More(), wstest.Cont(m[a:b]).More(), wstest.Cont(m[b:])}
	}},
	{"compressed", func(m string) []wstest.Frame { return []wstest.Frame{wstest.Text(m).Deflated()} }},
	{"compressed and fragmented", func(m string) []wstest.Frame {
		f := wstest.Text(m).Deflated()
		p := string(f.Payload)
		f.Payload = f.Payload[:len(p)/2]
		return []wstest.Frame{f.More(), wstest.Cont(p[len(p)/2:])}
	}},
}

// A message is as long as the limit at most, whatever its shape: one octet
// more fails the connection with 1009.
func TestMessageLimit(t *testing.T) {
	for _, limit := range []int{1000, 70_000, 1 << 20} {
		for _, s := range shapes {
			t.Run(fmt.Sprintf("%d, %s", limit, s.name), func(t *testing.T) {
				bothRoles(t, func(t *testing.T, role conn.Role) {
					allWays(t, func(t *testing.T, w way) { testMessageLimit(t, limit, s, role, w) })
				})
			})
		}
	}
}

func testMessageLimit(t *testing.T, limit int, s shape, role conn.Role, w way) {
	o := &conn.Options{}
	if limit != 1<<20 { // which is the default
		o.Limits.Message = int64(limit)
	}
	for _, size := range []int{limit - 1, limit} {
		c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o, Deflate: deflate, Size: 8 << 20})
		m := strings.Repeat("x", size)
		p.Send(s.frames(m)...)
		if op, got, err := w.read(c); err != nil || op != conn.Text || string(got) != m {
			t.Fatalf("%d octets: got %v, %d octets, %v", size, op, len(got), err)
		}
	}
	c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o, Deflate: deflate, Size: 8 << 20})
	p.Send(s.frames(strings.Repeat("x", limit+1))...)
	failed := make(chan error, 1)
	go func() {
		_, _, err := w.read(c)
		failed <- err
	}()
	p.WantClose(frame.StatusMessageTooBig)
	p.Close()
	wantCode(t, <-failed, frame.StatusMessageTooBig)
}

// A header alone is enough to refuse a message.
func TestMessageLimitByHeader(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		c, p := wstest.PipePeer(t, role, nil)
		first, second := wstest.Binary(make([]byte, 1<<19)).More(), wstest.Cont("")
		p.Send(first)
		second.Header.Length, second.Header.Masked = 1<<19+1, role == conn.RoleServer
		p.SendAsIs(second)
		failed := make(chan error, 1)
		go func() {
			_, _, err := c.Read(context.Background())
			failed <- err
		}()
		p.WantClose(frame.StatusMessageTooBig)
		p.Close()
		wantCode(t, <-failed, frame.StatusMessageTooBig)
	})
}

// A length that is declared costs nothing: memory grows with what has come.
func TestDeclaredLength(t *testing.T) {
	for _, log := range []int{31, 32, 40, 62} {
		t.Run(fmt.Sprintf("2^%d", log), func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				allWays(t, func(t *testing.T, w way) {
					synctest.Test(t, func(t *testing.T) { testDeclaredLength(t, 1<<log, role, w) })
				})
			})
		})
	}
}

func testDeclaredLength(t *testing.T, length int64, role conn.Role, w way) {
	o := limits(conn.Limits{Message: -1})
	c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o})
	done := make(chan error, 1)
	go func() {
		_, _, err := w.read(c)
		done <- err
	}()
	synctest.Wait()
	f := wstest.Binary([]byte{1})
	f.Header.Length, f.Header.Masked = length, role == conn.RoleServer
	before := heap()
	p.SendAsIs(f)
	synctest.Wait()
	const slack = 32 << 10 // for what else lives
	grown := heap() - before
	for i := 0; i < 5 && grown > 64<<10+slack; i++ { // what earlier tests have left may be ending
		grown = heap() - before
	}
	if grown > 64<<10+slack {
		t.Errorf("the heap grew by %d octets", grown)
	}
	c.CloseNow()
	if err := <-done; err == nil {
		t.Error("a message that did not come was read")
	}
}

// heap returns how many octets are alive.
func heap() int64 {
	for range 3 { // pools let go of what they hold in the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A limit as large as can be is none, for compressed messages too.
func TestMessageLimitHuge(t *testing.T) {
	allWays(t, func(t *testing.T, w way) {
		o := limits(conn.Limits{Message: math.MaxInt64, QueueBytes: math.MaxInt, QueueMessages: math.MaxInt})
		c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{Server: o, Client: o, Deflate: deflate})
		defer c.CloseNow()
		p.Send(wstest.Text("hello").Deflated(), wstest.Text("plain"))
		for _, want := range []string{"hello", "plain"} {
			if _, got, err := w.read(c); string(got) != want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
	})
}
