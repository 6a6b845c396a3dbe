package engineio_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/parleyws/parley/engineio"
)

// Empty messages are bounded too: a client that sends them to an echo, many
// in a POST, and never asks for what comes back is closed.
func TestQueueBytesEmpty(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	o := &engineio.Options{Limits: engineio.Limits{QueueBytes: 160 * 1000}, Logger: quiet}
	for packet, counts := range map[string]int{"b": 160, "4": 161} {
		o := &engineio.Options{Limits: engineio.Limits{QueueBytes: counts * 1000}, Logger: quiet}
		inBubble(t, o, func(s *site) {
			sid := s.open()
			body := packet + strings.Repeat("\x1e"+packet, 999)
			s.wantPost(sid, body, 200, "ok")
			s.wantAlive()
			s.wantPost(sid, packet, 200, "ok")
			s.wantEnd(engineio.TransportError)
		})
	}
	inBubble(t, o, func(s *site) {
		s.openWebSocket() // never reads
		n, m := s.session(), engineio.NewMessage(nil, true)
		var err error
		for range 1 << 20 {
			if err = n.Send(m); err != nil {
				break
			}
		}
		if err != engineio.ErrQueueFull {
			t.Errorf("on WebSocket: %v, want %v", err, engineio.ErrQueueFull)
		}
		s.wantEnd(engineio.TransportError)
	})
}
