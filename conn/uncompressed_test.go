package conn_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A message that is never compressed goes out as it is where the others are
// deflated, and both arrive.
func TestUncompressed(t *testing.T) {
	a, b := pipe.New()
	terms := &handshake.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	s := must(conn.New(&handshake.Result{Conn: a, Deflate: terms}, conn.RoleServer, nil))
	defer s.CloseNow()
	text := bytes.Repeat([]byte("again and "), 100)
	p := conn.NewPrepared(conn.Text, text)
	for _, tt := range []struct {
		p    *conn.Prepared
		rsv1 bool
	}{{p, true}, {p.Uncompressed(), false}, {p, true}} {
		if err := s.WritePrepared(context.Background(), tt.p); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := b.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		h, _, err := frame.Parse(buf[:n])
		if err != nil || h.Rsv1 != tt.rsv1 {
			t.Errorf("header %+v, %v; want Rsv1 %t", h, err, tt.rsv1)
		}
	}
}

// The shortest message that is compressed has 128 bytes, or what MinSize says.
func TestShortIsNotCompressed(t *testing.T) {
	for minSize, shortest := range map[int]int{0: 128, 1: 1, 5: 5, -1: 0} {
		a, b := pipe.New()
		s := must(conn.New(&handshake.Result{Conn: a, Deflate: deflate}, conn.RoleServer, &conn.Options{
			Compression: conn.Compression{MinSize: minSize},
		}))
		defer s.CloseNow()
		p := wstest.NewPeer(t, b, conn.RoleClient)
		for size := max(shortest-1, 0); size <= shortest; size++ {
			message := make([]byte, size)
			wantNoError(t, s.Write(t.Context(), conn.Binary, message))
			wantNoError(t, s.WritePrepared(t.Context(), conn.NewPrepared(conn.Binary, message)))
			for range 2 {
				if f, err := p.Next(); err != nil || f.Header.Rsv1 != (size == shortest) {
					t.Errorf("MinSize %d, %d bytes: %v, %v", minSize, size, f, err)
				}
			}
		}
	}
}
