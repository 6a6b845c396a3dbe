package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// pairs returns a connected server and client over each kind of stream.
func pairs(t *testing.T, o *conn.Options, terms *handshake.Deflate) map[string][2]*conn.Conn {
	t.Helper()
	make2 := func(a, b net.Conn) [2]*conn.Conn {
		s := must(conn.New(&handshake.Result{Conn: a, Deflate: terms}, conn.RoleServer, o))
		c := must(conn.New(&handshake.Result{Conn: b, Deflate: terms}, conn.RoleClient, o))
		t.Cleanup(func() { s.CloseNow(); c.CloseNow() })
		return [2]*conn.Conn{s, c}
	}
	a, b := pipe.New()
	x, y := tcpPair(t)
	return map[string][2]*conn.Conn{"pipe": make2(a, b), "tcp": make2(x, y)}
}

var terms = map[string]*handshake.Deflate{
	"plain":    nil,
	"deflate":  {ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15},
	"takeover": {ServerMaxWindowBits: 15, ClientMaxWindowBits: 15},
	"bits 9":   {ServerMaxWindowBits: 9, ClientMaxWindowBits: 9},
}

// TestEcho sends messages of many sizes there and back in every way there is.
func TestEcho(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 127, 4000, 4096, 5000, 65535, 65536, 65537, 70000, 200000, 1 << 20}
	for name, terms := range terms {
		for stream, pair := range pairs(t, &conn.Options{Limits: conn.Limits{Message: 2 << 20}}, terms) {
			t.Run(name+"/"+stream, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				server, client := pair[0], pair[1]
				ended := make(chan error, 1)
				go func() {
					ended <- each(server, ctx, func(m conn.Message) error {
						return server.Write(ctx, m.Type, m.Payload)
					})
				}()
				for i, n := range sizes {
					p := bytes.Repeat([]byte("abcdefghij"), n/10+1)[:n]
					sent := make(chan error, 1)
					go func() { sent <- send(ctx, client, i, p) }()
					got, err := receive(ctx, client, i)
					if err != nil {
						t.Fatalf("size %d: %v", n, err)
					}
					if err := <-sent; err != nil {
						t.Fatalf("size %d: %v", n, err)
					}
					if !bytes.Equal(got, p) {
						t.Fatalf("size %d: got %d other octets", n, len(got))
					}
				}
				if err := client.Close(4000, "done"); err != nil {
					t.Errorf("Close: %v", err)
				}
				err := <-ended
				if e, ok := errors.AsType[*conn.CloseError](err); !ok || e.Code != 4000 || e.Reason != "done" {
					t.Errorf("Each: %v", err)
				}
			})
		}
	}
}

func send(ctx context.Context, c *conn.Conn, i int, p []byte) error {
	switch i % 3 {
	case 0:
		return c.Write(ctx, conn.Binary, p)
	case 1:
		return c.WritePrepared(ctx, conn.NewPrepared(conn.Text, p))
	}
	w, err := c.Writer(ctx, conn.Binary)
	if err != nil {
		return err
	}
	if _, err := w.Write(p); err != nil {
		return err
	}
	return w.Close()
}

func receive(ctx context.Context, c *conn.Conn, i int) (p []byte, err error) {
	switch i % 3 {
	case 0:
		_, p, err = c.Read(ctx)
	case 1:
		stop := fmt.Errorf("stop")
		err = each(c, ctx, func(m conn.Message) error {
			p = bytes.Clone(m.Payload)
			return stop
		})
		if err == stop {
			err = nil
		}
	default:
		var r io.Reader
		if _, r, err = c.Reader(ctx); err == nil {
			p, err = io.ReadAll(r)
		}
	}
	return p, err
}

// The ctx that a Server gives to its functions has one Done channel, as every
// context.Context has, whether it is asked for before or after the end.
func TestServeContextDone(t *testing.T) {
	server, client := wstest.Pipe(nil)
	defer client.CloseNow()
	ctx := conn.ServeContext(server)
	before := ctx.Done()
	server.CloseNow()
	if after := ctx.Done(); after != before || ctx.Done() != after {
		t.Error("Done returns another channel after the end")
	}
	<-before
	ctx = conn.ServeContext(client)
	client.CloseNow()
	if late := ctx.Done(); late != ctx.Done() {
		t.Error("Done returns a new channel each time")
	}
}

// The window of a handshake that was made by hand has 8 to 15 bits, in both directions.
func TestWindowBits(t *testing.T) {
	for bits := range 20 {
		for _, d := range []handshake.Deflate{
			{ServerMaxWindowBits: bits, ClientMaxWindowBits: 15}, {ServerMaxWindowBits: 8, ClientMaxWindowBits: bits},
		} {
			ours, theirs := net.Pipe()
			c, err := conn.New(&handshake.Result{Conn: ours, Deflate: &d}, conn.RoleServer, nil)
			if (err == nil) != (bits >= 8 && bits <= 15) {
				t.Errorf("%+v: %v", d, err)
			}
			if err == nil {
				c.CloseNow()
			}
			ours.Close()
			theirs.Close()
		}
	}
}
