package socketio_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/socketio"
)

// A meter counts the bytes that pass a connection, both ways.
type meter struct {
	net.Conn
	bytes *atomic.Int64
}

func (m meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.bytes.Add(int64(n))
	return n, err
}

func (m meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.bytes.Add(int64(n))
	return n, err
}

// Compress(false) keeps an event from being compressed, at either end.
func TestCompress(t *testing.T) {
	o := &socketio.Options{Engine: engineio.Options{Deflate: &handshake.DeflateOptions{}}}
	inBubble(t, o, func(s *site) {
		var passed atomic.Int64
		network, web := s.network()
		dial := network.dialContext
		network.dialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			return meter{c, &passed}, err
		}
		sockets := s.sockets(nil)
		client := s.dialOptions("websocket", socketio.DialOptions{})
		client.Engine.HTTPClient, client.Engine.Deflate = web, &handshake.DeflateOptions{}
		c := s.start(client)
		n := <-sockets
		const size = 10_000
		text := strings.Repeat("x", size)
		for _, tt := range []struct {
			name  string
			emit  func(string, ...any) error
			whole bool
		}{
			{"to all", s.io.Emit, false},
			{"to all, uncompressed", s.io.Compress(false).Emit, true},
			{"to one", n.Emit, false},
			{"to one, uncompressed", n.Compress(false).Emit, true},
			{"of a client", c.Emit, false},
			{"of a client, uncompressed", c.Compress(false).Emit, true},
		} {
			synctest.Wait()
			passed.Store(0)
			if err := tt.emit("e", text, []byte(text)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got, least := passed.Load(), int64(2*size); (got >= least) != tt.whole || !tt.whole && got > size {
				t.Errorf("%s: %d bytes for %d", tt.name, got, least)
			}
		}
	})
}
