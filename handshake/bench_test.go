package handshake

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// benchRequest is what a browser sends, without what it says of itself.
const benchRequest = "GET /chat HTTP/1.1\r\n" +
	"Host: server.example.com\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Origin: http://server.example.com\r\n\r\n"

// A replay is a connection that reads the same bytes and swallows what is
// written.
type replay struct {
	in     bytes.Reader
	closed chan struct{} // Close sends, if not nil
}

func (c *replay) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *replay) Write(p []byte) (int, error) { return len(p), nil }
func (c *replay) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (c *replay) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

func (c *replay) SetDeadline(time.Time) error      { return nil }
func (c *replay) SetReadDeadline(time.Time) error  { return nil }
func (c *replay) SetWriteDeadline(time.Time) error { return nil }

func (c *replay) Close() error {
	if c.closed != nil {
		c.closed <- struct{}{}
	}
	return nil
}

func BenchmarkAcceptConn(b *testing.B) {
	for _, bb := range []struct {
		name    string
		options *Options
	}{
		{"plain", unbounded},
		{"header", &Options{KeepHeader: true, Limits: unbounded.Limits}},
		{"timer", nil}, // what a connection costs that is no socket
	} {
		b.Run(bb.name, func(b *testing.B) {
			request := []byte(benchRequest)
			var nc replay
			b.ReportAllocs()
			for b.Loop() {
				nc.in.Reset(request)
				if _, err := AcceptConn(&nc, bb.options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAccept measures a connection's way through net/http, first without
// an upgrade, for comparison.
func BenchmarkAccept(b *testing.B) {
	for _, bb := range []struct {
		name   string
		accept func(w http.ResponseWriter, r *http.Request) (net.Conn, error)
	}{
		{"hijack", func(w http.ResponseWriter, _ *http.Request) (net.Conn, error) {
			nc, _, err := http.NewResponseController(w).Hijack()
			return nc, err
		}},
		{"upgrade", func(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
			res, err := Accept(w, r, unbounded)
			if err != nil {
				return nil, err
			}
			return res.Conn, nil
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			l := &chanListener{conns: make(chan net.Conn), done: make(chan struct{})}
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				nc, err := bb.accept(w, r)
				if err != nil {
					b.Error(err)
					return
				}
				nc.Close()
			})}
			go s.Serve(l)
			defer s.Close()
			request := []byte(benchRequest)
			nc := &replay{closed: make(chan struct{}, 1)}
			b.ReportAllocs()
			for b.Loop() {
				nc.in.Reset(request)
				l.conns <- nc
				<-nc.closed
			}
		})
	}
}

// A chanListener accepts what is sent to it.
type chanListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *chanListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.done:
		return nil, io.EOF
	}
}

func (l *chanListener) Close() error   { close(l.done); return nil }
func (l *chanListener) Addr() net.Addr { return &net.TCPAddr{} }
