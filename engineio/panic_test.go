package engineio_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/parleyws/parley/engineio"
)

// panics is a receiver that does not survive its messages.
type panics struct{ echo }

func (panics) Message([]byte, bool) { panic("receiver") }

// A receiver that panics costs its session, on either transport: the process
// lives, the POST is answered, nothing is left behind.
func TestReceiverPanics(t *testing.T) {
	log := new(lines)
	o := &engineio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	withReceiver(t, o, func(e echo) engineio.Receiver { return panics{e} }, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "4a\x1e4b", 200, "ok")
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
		w := s.openWebSocket()
		w.send("4a")
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
		if got := strings.Count(log.String(), "receiver panicked"); got != 2 {
			t.Errorf("%d panics in the log, want 2: %s", got, log)
		}
	})
}
