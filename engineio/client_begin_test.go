package engineio_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// What is sent before Dial's open has returned waits until then.
func TestClientWritableInOpen(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r := &taker{t: s.t, messages: make(chan string, 1), ends: make(chan engineio.Reason, 1)}
		_, err := engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver {
			r.c = c
			before := c.Writable()
			if err := c.Send(text("early")); err != nil || !before || c.Writable() {
				t.Errorf("Send: %v; writable: %t before, %t after", err, before, c.Writable())
			}
			return r
		}, &engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: s.http})
		if err != nil {
			t.Fatal(err)
		}
		r.want("early")
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// A queue may be just full.
func TestClientQueueJustFull(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r := &taker{t: s.t, messages: make(chan string, 1), ends: make(chan engineio.Reason, 1)}
		_, err := engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver {
			r.c = c
			if err := c.Send(text(strings.Repeat("x", 512-161))); err != nil { // nothing leaves yet
				t.Errorf("as much as may wait: %v", err)
			}
			if err := c.Send(text("")); err != engineio.ErrQueueFull {
				t.Errorf("more: %v", err)
			}
			return r
		}, &engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: s.http, Limits: engineio.DialLimits{QueueBytes: 512}})
		if err != nil {
			t.Fatal(err)
		}
		r.wantEnd(engineio.TransportError)
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
