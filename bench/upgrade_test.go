package bench

import (
	"net"
	"net/http"
	"runtime"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/parleyws/parley/handshake"
)

// unbounded leaves out the timer that ours sets for a connection that is no
// socket, as a stub is not. None of the others bounds the time of an upgrade.
var unbounded = &handshake.Options{Limits: handshake.Limits{Timeout: -1}}

const upgradeRequest = "GET /chat HTTP/1.1\r\n" +
	"Host: server.example.com\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Origin: http://server.example.com\r\n\r\n"

// A queue is a net.Listener that accepts the connections that are put into it.
type queue chan net.Conn

func (q queue) Accept() (net.Conn, error) {
	if nc, open := <-q; open {
		return nc, nil
	}
	return nil, net.ErrClosed
}
func (queue) Close() error   { return nil }
func (queue) Addr() net.Addr { return &net.TCPAddr{} }

// A visit is a stub that makes one request, and reports when it is closed.
type visit struct {
	stub
	closed chan struct{}
}

func (v *visit) Close() error {
	v.closed <- struct{}{}
	return nil
}

// P13: an upgrade through net/http, compared with a hijack that does nothing
// else. It runs on one processor. On two processors the goroutines that take
// turns here would sleep and be woken for each request. That costs more than an
// upgrade, and varies by several times as much.
func BenchmarkP13(b *testing.B) {
	for _, bb := range []struct {
		name    string
		upgrade func(http.ResponseWriter, *http.Request) (net.Conn, error)
	}{
		{"parley", func(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
			res, err := handshake.Accept(w, r, unbounded)
			if err != nil {
				return nil, err
			}
			return res.Conn, nil
		}},
		{"gobwas", func(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
			nc, _, _, err := gobwas.UpgradeHTTP(r, w)
			return nc, err
		}},
		{"hijack", func(w http.ResponseWriter, _ *http.Request) (net.Conn, error) {
			nc, _, err := http.NewResponseController(w).Hijack()
			return nc, err
		}},
	} {
		b.Run(bb.name, func(b *testing.B) { benchmarkUpgrade(b, bb.upgrade) })
	}
}

func benchmarkUpgrade(b *testing.B, upgrade func(http.ResponseWriter, *http.Request) (net.Conn, error)) {
	l := make(queue)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, err := upgrade(w, r)
		if err != nil {
			b.Error(err)
			return
		}
		nc.Close()
	})}
	go s.Serve(l)
	defer close(l)
	v := &visit{stub: stub{stream: []byte(upgradeRequest)}, closed: make(chan struct{})}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b.ReportAllocs()
	for b.Loop() {
		v.at = 0
		l <- v
		<-v.closed
	}
}

// P14: an upgrade on the connection, without net/http.
func BenchmarkP14(b *testing.B) {
	b.Run("parley", func(b *testing.B) {
		nc := &stub{stream: []byte(upgradeRequest)}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := handshake.AcceptConn(nc, unbounded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		nc := &stub{stream: []byte(upgradeRequest)}
		var u gobwas.Upgrader
		b.ReportAllocs()
		for b.Loop() {
			if _, err := u.Upgrade(nc); err != nil {
				b.Fatal(err)
			}
		}
	})
}
