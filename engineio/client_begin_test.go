package engineio_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// A queue may be just full. What exceeds it ends the session, and the receiver knows at once, though
// no request is answered.
func TestClientQueueJustFull(t *testing.T) {
	withFake(t, &fake{post: never}, func(s *site) {
		r := s.mustConnect(&engineio.DialOptions{Transports: []string{"polling"}, Limits: engineio.DialLimits{QueueBytes: 512}})
		r.c.Send(text("a"))
		synctest.Wait() // it is on its way
		if err := r.c.Send(text(strings.Repeat("x", 512-161))); err != nil {
			t.Errorf("as much as may wait: %v", err)
		}
		start := time.Now()
		if err := r.c.Send(text("")); err != engineio.ErrQueueFull {
			t.Errorf("more: %v", err)
		}
		r.wantEnd(engineio.TransportError)
		if d := time.Since(start); d != 0 {
			t.Errorf("the receiver was told after %v", d)
		}
	})
}

// A message does not leave at once while a POST is under way.
func TestClientWritableInPOST(t *testing.T) {
	withFake(t, &fake{post: never}, func(s *site) {
		r := s.mustConnect(pollingOnly)
		before := r.c.Writable()
		r.c.Send(text("a"))
		synctest.Wait()
		if !before || r.c.Writable() {
			t.Errorf("writable: %t before, %t during a POST", before, r.c.Writable())
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// A server that does not offer a WebSocket is not asked for one.
func TestClientUpgradeNotOffered(t *testing.T) {
	server := &fake{
		open: `{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`,
		ws:   func(c *conn.Conn, _ *http.Request) { t.Error("it is asked for one"); waitForEnd(c) },
	}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(nil)
		<-time.After(time.Second)
		if err := r.c.Flush(context.Background()); err != nil || r.c.Transport() != "polling" {
			t.Errorf("Flush: %v, transport %s", err, r.c.Transport())
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// A server may answer the probe late, as long as UpgradeTimeout has not passed, also when it pings
// over long-polling meanwhile.
func TestClientUpgradeSlow(t *testing.T) {
	server := &fake{
		open: `{"sid":"x","upgrades":["websocket"],"pingInterval":1000,"pingTimeout":1000}`,
		get: func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Second):
				io.WriteString(w, "2")
			case <-r.Context().Done():
			}
		},
		ws: func(c *conn.Conn, _ *http.Request) {
			time.Sleep(8500 * time.Millisecond)
			c.Write(context.Background(), conn.Text, []byte("3probe"))
			waitForEnd(c)
		},
	}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(nil)
		time.Sleep(9500 * time.Millisecond) // the GET that was under way is answered
		if got := r.c.Transport(); got != "websocket" {
			t.Errorf("the session stays on %s", got)
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}
