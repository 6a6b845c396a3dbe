package bench

import (
	"context"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/parleyws/parley/conn"
)

// benchmarkWrite writes messages as a server does, and reports how many writes
// to the stream each message took.
func benchmarkWrite(b *testing.B, size int) {
	p := []byte(strings.Repeat("a", size))
	run := func(name string, start func(b *testing.B, nc *stub) func() error) {
		b.Run(name, func(b *testing.B) {
			nc := &stub{}
			write := start(b, nc)
			nc.writes = 0
			n := 0
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := write(); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(nc.writes)/float64(n), "writes/op")
		})
	}
	run("parley", func(b *testing.B, nc *stub) func() error {
		c := parleyConn(nc, false, nil)
		b.Cleanup(func() { c.CloseNow() })
		return func() error { return c.Write(context.Background(), conn.Text, p) }
	})
	run("gorilla", func(b *testing.B, nc *stub) func() error {
		c := gorillaConn(b, nc, false)
		return func() error { return c.WriteMessage(gorilla.TextMessage, p) }
	})
	run("gobwas", func(b *testing.B, nc *stub) func() error {
		return func() error {
			if err := gobwas.WriteHeader(nc, gobwas.Header{Fin: true, OpCode: gobwas.OpText, Length: int64(size)}); err != nil {
				return err
			}
			_, err := nc.Write(p)
			return err
		}
	})
	run("gws", func(b *testing.B, nc *stub) func() error {
		c := gwsConn(b, gwsUpgrader(&handler{}, false), nc, false)
		return func() error { return c.WriteMessage(gws.OpcodeText, p) }
	})
	run("coder", func(b *testing.B, nc *stub) func() error {
		c := coderConn(b, nc)
		return func() error { return c.Write(context.Background(), coder.MessageText, p) }
	})
}

func BenchmarkP11(b *testing.B) { benchmarkWrite(b, 16) }
func BenchmarkP12(b *testing.B) { benchmarkWrite(b, 1<<10) }

// recipients returns the number of connections of a broadcast: 10,000, or 100
// with -short.
func recipients() int {
	if testing.Short() {
		return 100
	}
	return 10000
}

// P15 to P17: one message of 128 bytes to one of many recipients.
func benchmarkBroadcast(b *testing.B, deflate, bySend bool) {
	p := []byte(strings.Repeat("hello, w", 16))
	recipients := recipients()
	b.Run("parley", func(b *testing.B) {
		conns := make([]*conn.Conn, recipients)
		for i := range conns {
			conns[i] = parleyConn(&stub{}, deflate, nil)
			defer conns[i].CloseNow()
		}
		m := conn.NewPrepared(conn.Text, p)
		ctx := context.Background()
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if bySend {
				err = conns[i%recipients].Send(m)
			} else {
				err = conns[i%recipients].WritePrepared(ctx, m)
			}
			if err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("gorilla", func(b *testing.B) {
		conns := make([]*gorilla.Conn, recipients)
		for i := range conns {
			conns[i] = gorillaConn(b, &stub{}, deflate)
		}
		m, err := gorilla.NewPreparedMessage(gorilla.TextMessage, p)
		if err != nil {
			b.Fatal(err)
		}
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			if err := conns[i%recipients].WritePreparedMessage(m); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("gws", func(b *testing.B) {
		conns := make([]*gws.Conn, recipients)
		u := gwsUpgrader(&handler{}, deflate)
		for i := range conns {
			conns[i] = gwsConn(b, u, &stub{}, deflate)
		}
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			if err := conns[i%recipients].WriteMessage(gws.OpcodeText, p); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

func BenchmarkP15(b *testing.B) { benchmarkBroadcast(b, false, false) }
func BenchmarkP16(b *testing.B) { benchmarkBroadcast(b, true, false) }
func BenchmarkP17(b *testing.B) { benchmarkBroadcast(b, false, true) }
