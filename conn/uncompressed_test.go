package conn_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
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
