package conn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/mask"
)

// A loop is a net.Conn that costs next to nothing: it reads the same octets
// over and over and forgets what is written.
type loop struct {
	stream []byte
	at     int
}

func (l *loop) Read(p []byte) (int, error) {
	if len(l.stream) == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.stream[l.at:])
	if l.at += n; l.at == len(l.stream) {
		l.at = 0
	}
	return n, nil
}

func (*loop) Write(p []byte) (int, error)      { return len(p), nil }
func (*loop) Close() error                     { return nil }
func (*loop) CloseWrite() error                { return nil }
func (*loop) LocalAddr() net.Addr              { return nil }
func (*loop) RemoteAddr() net.Addr             { return nil }
func (*loop) SetDeadline(time.Time) error      { return nil }
func (*loop) SetReadDeadline(time.Time) error  { return nil }
func (*loop) SetWriteDeadline(time.Time) error { return nil }

// looped returns a server that reads message after message like the given one.
func looped(op frame.Opcode, p []byte, fragments int) *conn.Conn {
	one := message(op, p, fragments)
	stream := one
	for len(stream) < 64<<10 {
		stream = append(stream, one...)
	}
	return must(conn.New(&handshake.Result{Conn: &loop{stream: stream}}, conn.RoleServer, nil))
}

// message returns a message as a client sends it, in so many fragments.
func message(op frame.Opcode, p []byte, fragments int) (b []byte) {
	for i := range fragments {
		h := frame.Header{Fin: i == fragments-1, Opcode: op, Masked: true, MaskKey: [4]byte{1, 2, 3, 4}, Length: int64(len(p) / fragments)}
		if i > 0 {
			h.Opcode = frame.Continuation
		}
		b = h.Append(b)
		n := len(b)
		b = append(b, p[:len(p)/fragments]...)
		mask.Bytes(b[n:], h.MaskKey, 0)
	}
	return b
}

func BenchmarkEach(b *testing.B) {
	conn.Unpoisoned(b)
	for _, bb := range []struct {
		name      string
		op        frame.Opcode
		p         string
		fragments int
	}{
		{"text 16 B", frame.Text, strings.Repeat("a", 16), 1},
		{"binary 1 KB", frame.Binary, strings.Repeat("a", 1024), 1},
		{"text 1 KB", frame.Text, strings.Repeat("a", 1024), 1},
		{"binary 64 KB", frame.Binary, strings.Repeat("a", 64<<10), 1},
		{"text 64 KB", frame.Text, strings.Repeat("a", 64<<10), 1},
		{"binary 64 KB in 8", frame.Binary, strings.Repeat("a", 64<<10), 8},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := looped(bb.op, []byte(bb.p), bb.fragments)
			defer c.CloseNow()
			stop := errors.New("stop")
			n := 0
			b.SetBytes(int64(len(bb.p)))
			b.ReportAllocs()
			b.ResetTimer()
			c.Each(context.Background(), func(conn.Message) error {
				if n++; n >= b.N {
					return stop
				}
				return nil
			})
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	conn.Unpoisoned(b)
	for _, bb := range []struct {
		name string
		role conn.Role
		size int
	}{
		{"server 16 B", conn.RoleServer, 16},
		{"server 1 KB", conn.RoleServer, 1024},
		{"server 64 KB", conn.RoleServer, 64 << 10},
		{"client 16 B", conn.RoleClient, 16},
		{"client 1 KB", conn.RoleClient, 1024},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := must(conn.New(&handshake.Result{Conn: &loop{}}, bb.role, nil))
			defer c.CloseNow()
			p := make([]byte, bb.size)
			b.SetBytes(int64(bb.size))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(context.Background(), conn.Binary, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBroadcast sends one prepared message to one of many connections.
func BenchmarkBroadcast(b *testing.B) {
	conn.Unpoisoned(b)
	deflate := &handshake.Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	for name, terms := range map[string]*handshake.Deflate{"plain": nil, "deflate": deflate} {
		b.Run(name, func(b *testing.B) {
			conns := make([]*conn.Conn, 10000)
			for i := range conns {
				conns[i] = must(conn.New(&handshake.Result{Conn: &loop{}, Deflate: terms}, conn.RoleServer, nil))
				defer conns[i].CloseNow()
			}
			p := conn.NewPrepared(conn.Text, []byte(strings.Repeat("hello, w", 16)))
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := conns[i%len(conns)].WritePrepared(context.Background(), p); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
