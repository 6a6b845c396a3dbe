package engineio

import (
	"testing"
	"time"
)

// A ping that is late, as after a standstill of the process, leaves the client its whole time
// for the pong.
func TestLatePing(t *testing.T) {
	r := rhythm{interval: 25 * time.Second, timeout: 20 * time.Second}
	began := time.Now()
	after := func(d time.Duration) time.Time { return began.Add(d) }
	var h heartbeat
	h.start(began, r)
	if due(h.ping, after(25*time.Second-1)) || !due(h.ping, after(25*time.Second)) {
		t.Error("the ping is not due after 25 s")
	}
	h.sent(after(time.Minute), r)
	if due(h.ping, after(time.Hour)) {
		t.Error("a ping is due before the pong")
	}
	if due(h.beat, after(80*time.Second-1)) || !due(h.beat, after(80*time.Second)) {
		t.Error("the pong is not due 20 s after the ping")
	}
	h.heard(after(70*time.Second), r)
	if due(h.beat, after(time.Hour)) || due(h.ping, after(95*time.Second-1)) || !due(h.ping, after(95*time.Second)) {
		t.Error("the next ping is not due 25 s after the pong")
	}
}
