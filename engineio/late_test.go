package engineio

import (
	"net/http/httptest"
	"testing"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// Packets that come after the end, from a request that was being handled, change
// nothing of what the client's last GET gets.
func TestPacketsAfterTheEnd(t *testing.T) {
	for _, codec := range []*packet.Codec{packet.V4, packet.V3} {
		server, err := NewServer(func(*Session) Receiver { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(server, "id", codec, httptest.NewRequest("GET", "/", nil))
		s.queue = []*Message{noopMessage}
		s.endLater(closedBetween, closeMessage)
		for _, late := range []packet.Type{codec.Beat, packet.Close, packet.Noop} {
			if s.handle(packet.Packet{Type: late}) {
				t.Errorf("version %d: %v was handled", codec.Version, late)
			}
		}
		if got := s.leave(); len(got) != 2 || got[0] != noopMessage || got[1] != closeMessage {
			t.Errorf("version %d: %d messages are left, want the two that there were", codec.Version, len(got))
		}
	}
}
