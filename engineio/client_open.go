package engineio

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// An opening is what a server's open packet says (Engine.IO protocol v4, "Handshake").
type opening struct {
	sid        string
	upgrade    bool          // the server offers WebSocket
	interval   time.Duration // from one ping to the next
	timeout    time.Duration // how late a ping may be
	maxPayload int64         // of what the server takes; 0: it does not say
}

// Bounds of an open packet. Session ids of servers have 20 to 40 bytes.
const (
	maxOpening = 64 << 10
	maxSID     = 1 << 10
)

// parseOpening reads the data of an open packet. It refuses what no server can mean.
func parseOpening(data []byte) (opening, error) {
	if len(data) > maxOpening {
		return opening{}, broken("open packet of %d bytes, want %d at most", len(data), maxOpening)
	}
	var in struct {
		ID           string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload"` // absent before Socket.IO 4.5
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return opening{}, broken("open packet is not JSON of the right types: %s", clip(err.Error()))
	}
	const longest = int64(maxPing / time.Millisecond)
	switch {
	case in.ID == "" || len(in.ID) > maxSID:
		return opening{}, broken("open packet has a sid of %d bytes, want 1 to %d", len(in.ID), maxSID)
	case in.PingInterval < 1 || in.PingInterval > longest:
		return opening{}, broken("open packet has the pingInterval %d, want 1 to %d", in.PingInterval, longest)
	case in.PingTimeout < 1 || in.PingTimeout > longest:
		return opening{}, broken("open packet has the pingTimeout %d, want 1 to %d", in.PingTimeout, longest)
	case in.MaxPayload < 0:
		return opening{}, broken("open packet has the maxPayload %d, want none or more than 0", in.MaxPayload)
	}
	return opening{
		sid:        in.ID,
		upgrade:    slices.Contains(in.Upgrades, websocketName),
		interval:   time.Duration(in.PingInterval) * time.Millisecond,
		timeout:    time.Duration(in.PingTimeout) * time.Millisecond,
		maxPayload: in.MaxPayload,
	}, nil
}

// broken returns the error about a rule that the server broke.
func broken(format string, args ...any) error {
	return &packet.Error{Reason: fmt.Sprintf(format, args...)}
}

// clip cuts a text that may hold what the server sent to a length that does no harm
// in a log.
func clip(s string) string {
	const most = 200
	return s[:min(len(s), most)]
}
