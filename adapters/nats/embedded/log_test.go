package embedded

import (
	"log/slog"
	"testing"

	natsadapter "github.com/parleyws/parley/adapters/nats"
)

// Connections that were never used don't count as lost.
func TestLost(t *testing.T) {
	for text, want := range map[string]int64{
		"127.0.0.1:1 - rid:2 - Router connection closed: Client Closed - Remote: NA, Host: 127.0.0.1:1":   1,
		"127.0.0.1:1 - rid:2 - Router connection closed: Duplicate Route - Remote: NA, Host: 127.0.0.1:1": 0,
		"127.0.0.1:1 - rid:2 - Router connection closed: Client Closed":                                   0,
		"127.0.0.1:1 - rid:2 - Route connection created":                                                  0,
	} {
		l := newLog(slog.New(slog.DiscardHandler))
		l.adapter = new(natsadapter.Broker)
		l.Noticef("%s", text)
		l.close()
		if got := l.lost.Load(); got != want {
			t.Errorf("%s: %d lost, want %d", text, got, want)
		}
	}
}
