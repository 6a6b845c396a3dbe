package conn_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/parleyws/parley/conn"
)

// BenchmarkServerAccept is a connection that comes, echoes a message and goes, with
// its client, over TCP: through net/http, and without it.
func BenchmarkServerAccept(b *testing.B) {
	conn.Unpoisoned(b)
	for _, bb := range []struct {
		name  string
		serve func(*conn.Server, net.Listener) error
	}{
		{"net/http", func(s *conn.Server, l net.Listener) error { return (&http.Server{Handler: s}).Serve(l) }},
		{"ServeConns", (*conn.Server).ServeConns},
	} {
		b.Run(bb.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			s := &conn.Server{Serve: echo}
			ended := make(chan error, 1)
			go func() { ended <- bb.serve(s, l) }()
			visit := []byte(rawRequest("") + "\x81\x85\x00\x00\x00\x00hello\x88\x80\x00\x00\x00\x00") // all at once, ending with a Close frame
			b.ReportAllocs()
			for b.Loop() {
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				nc.Write(visit)
				if out, err := io.ReadAll(nc); err != nil || !bytes.HasSuffix(out, []byte("\x81\x05hello\x88\x00")) {
					b.Fatalf("%q, %v", out, err)
				}
				nc.Close()
			}
			s.Shutdown(context.Background())
			l.Close()
			<-ended
		})
	}
}
