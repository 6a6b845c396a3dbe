package handshake

import (
	"net"
	"net/http"
	"testing"
)

// A badConn panics when it is written to, or told of a deadline.
type badConn struct {
	*memConn
	write bool
}

func (c *badConn) Write(p []byte) (int, error) {
	if c.write {
		panic("bad write")
	}
	return c.memConn.Write(p)
}

func (c *badConn) RemoteAddr() net.Addr { panic("bad address") }

// TestPanicCloses: a panic of what the user has given passes through, and leaves
// no connection open that is ours to close.
func TestPanicCloses(t *testing.T) {
	bad := func(*http.Request) (http.Header, error) { panic("bad hook") }
	for _, tt := range []struct {
		name   string
		o      *Options
		write  bool
		hijack bool // the connection is taken over before the panic
		want   string
	}{
		{"write", nil, true, true, "bad write"},
		{"address", &Options{KeepHeader: true}, false, false, "bad address"},
		{"Before", &Options{Before: bad}, false, false, "bad hook"},
		{"CheckOrigin", &Options{CheckOrigin: func(*http.Request) bool { panic("bad check") }}, false, false, "bad check"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			caught := func(f func()) (v any) {
				defer func() { v = recover() }()
				f()
				return nil
			}
			mem := newMemConn(sample(""))
			var nc net.Conn = mem
			if tt.write || tt.name == "address" {
				nc = &badConn{mem, tt.write}
			}
			if v := caught(func() { AcceptConn(nc, tt.o) }); v != tt.want || !mem.closed {
				t.Errorf("raw: panic %v, closed %v; want %v, true", v, mem.closed, tt.want)
			}
			mem = newMemConn("")
			w := newHijackRecorder(&badConn{mem, tt.write})
			if tt.name == "address" {
				return // nothing of net/http's asks for it
			}
			if v := caught(func() { Accept(w, readRequest(t, sample("")), tt.o) }); v != tt.want || mem.closed != tt.hijack {
				t.Errorf("net/http: panic %v, closed %v; want %v, %v", v, mem.closed, tt.want, tt.hijack)
			}
		})
	}
}
