package conn_test

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"github.com/parleyws/parley/conn"
)

// A Write of a NetConn is one piece of the stream, whoever else writes: so it is
// with the net.Conns of package net.
func TestNetConnWritesMeet(t *testing.T) {
	allStreams(t, func(t *testing.T, s stream) {
		a, b := s.conns(t, nil)
		w, r := conn.NetConn(a, conn.Binary), conn.NetConn(b, conn.Binary)
		const size, writers, rounds = 200 << 10, 4, 10
		var calls sync.WaitGroup
		for i := range writers {
			calls.Go(func() {
				for range rounds {
					if _, err := w.Write(bytes.Repeat([]byte{byte('a' + i)}, size)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		p := make([]byte, size)
		for range writers * rounds {
			if _, err := io.ReadFull(r, p); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(p, p[:1]) != size {
				t.Error("a torn Write")
				break
			}
		}
		go io.Copy(io.Discard, r)
		calls.Wait()
	})
}
