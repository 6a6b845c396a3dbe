package engineio_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// reader returns the first line of the goroutine that reads the only WebSocket.
func reader(t *testing.T) string {
	t.Helper()
	synctest.Wait()
	buf := make([]byte, 1<<22)
	found := ""
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "receiveAlone(") {
			if found != "" {
				t.Fatal("two goroutines read")
			}
			found, _, _ = strings.Cut(stack, " [")
		}
	}
	if found == "" {
		t.Fatal("nobody reads")
	}
	return found
}

// After the first message, an upgrade, and the first pong after other
// messages a WebSocket is read by another goroutine, whose stack has not grown.
// Otherwise it stays with the one that it has.
func TestReaderRenewed(t *testing.T) {
	if *inLoop {
		t.Skip("a loop has no goroutine for a WebSocket")
	}
	inBubble(t, fast, func(s *site) {
		w := s.openWebSocket()
		before := reader(t)
		step := func(what string, renewed bool) {
			t.Helper()
			after := reader(t)
			if (after != before) != renewed {
				t.Errorf("%s: read by %q, then by %q", what, before, after)
			}
			before = after
		}
		echo := func(text string) {
			w.send("4" + text)
			w.want("4" + text)
		}
		beat := func() {
			w.want("2")
			w.send("3")
		}
		echo("first")
		step("the first message", true)
		beat()
		step("a pong right after it", true)
		beat()
		step("another pong", false)
		echo("second")
		echo("third")
		step("further messages", false)
		beat()
		step("the first pong after them", true)
		beat()
		step("another pong", false)
		echo("fourth")
		step("another message", false)
		beat()
		step("the first pong after it", true)
	})
	inBubble(t, fast, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		before := reader(t)
		w.send("2probe")
		w.want("3probe")
		probed := reader(t)
		if probed == before {
			t.Error("not renewed by the first message")
		}
		w.send("2probe")
		w.want("3probe")
		if reader(t) != probed {
			t.Error("renewed by a second probe")
		}
		w.send("5")
		if reader(t) == probed {
			t.Error("not renewed by an upgrade")
		}
		w.send("4a")
		w.want("4a")
	})
}

// The same holds for a client's WebSocket, where the beats are the server's pings.
func TestClientReaderRenewed(t *testing.T) {
	server := new(fake)
	withFake(t, server, func(s *site) {
		sockets := make(chan *conn.Conn, 1)
		server.ws = func(c *conn.Conn, _ *http.Request) {
			c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
			sockets <- c
			waitForEnd(c)
		}
		r := s.mustConnect(websocketOnly)
		w := <-sockets
		before := reader(t)
		for _, step := range []struct {
			packet  string
			renewed bool
		}{
			{"4the first message", true},
			{"2", true},
			{"2", false},
			{"4second", false},
			{"4third", false},
			{"2", true},
			{"2", false},
			{"4fourth", false},
			{"2", true},
		} {
			w.Write(s.t.Context(), conn.Text, []byte(step.packet))
			after := reader(t)
			if (after != before) != step.renewed {
				t.Errorf("%q: read by %q, then by %q", step.packet, before, after)
			}
			before = after
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// The answer to its probe is a client's first message: an upgrade leaves it no stack that has
// grown.
func TestClientReaderRenewedByProbe(t *testing.T) {
	server := new(fake)
	withFake(t, server, func(s *site) {
		sockets := make(chan *conn.Conn, 1)
		server.ws = func(c *conn.Conn, _ *http.Request) {
			sockets <- c
			waitForEnd(c)
		}
		r := s.mustConnect(nil)
		w := <-sockets
		before := reader(t)
		w.Write(s.t.Context(), conn.Text, []byte("3probe"))
		if after := reader(t); after == before {
			t.Errorf("read by %q before the answer to the probe, and after it", before)
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}
