package suite_test

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/autobahn/suite"
	"github.com/parleyws/parley/handshake"
)

// TestCompressed plays cases that the suite lacks: single compressed frames, with
// fragments, empty messages and control frames.
func TestCompressed(t *testing.T) {
	for _, c := range suite.Compressed() {
		t.Run("server/"+c.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { verify(t, c, suite.RunServer, serve, nil) })
		})
		t.Run("client/"+c.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { verify(t, c, suite.RunClient, dial, nil) })
		})
	}
}

// TestWindow asks conn for each size of the window, and lets conn ask the
// referee for the same size. The messages have far more bytes than a window,
// and both sides read with exactly the agreed window.
func TestWindow(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		for _, noTakeover := range []bool{false, true} {
			c := suite.Window(bits, noTakeover)
			d := &handshake.DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true}
			server, client := *d, *d
			server.ClientMaxWindowBits, client.ServerMaxWindowBits = bits, bits
			t.Run("server/"+c.ID, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					verify(t, c, suite.RunServer, func(nc net.Conn) error { return serveWith(nc, &server) }, nil)
				})
			})
			t.Run("client/"+c.ID, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					verify(t, c, suite.RunClient, func(nc net.Conn) error { return dialWith(nc, &client) }, nil)
				})
			})
		}
	}
}
