package engineio

import (
	"fmt"
	"strings"
	"testing"
)

// What an open packet may say, up to the border, and not beyond.
func TestOpeningBorders(t *testing.T) {
	sid := func(n int) string { return fmt.Sprintf("%q", strings.Repeat("x", n)) }
	for _, tt := range []struct {
		sid, interval, timeout, most string
		size                         int // of the packet; 0: as it comes
		ok                           bool
	}{
		{sid(1), "1", "1", "0", 0, true},
		{sid(1024), "2073600000", "2073600000", "1", 65536, true},
		{sid(1025), "1", "1", "0", 0, false},
		{sid(0), "1", "1", "0", 0, false},
		{sid(1), "0", "1", "0", 0, false},
		{sid(1), "2073600001", "1", "0", 0, false},
		{sid(1), "1", "0", "0", 0, false},
		{sid(1), "1", "2073600001", "0", 0, false},
		{sid(1), "1", "1", "-1", 0, false},
		{sid(1), "1", "1", "0", 65537, false},
	} {
		data := fmt.Sprintf(`{"sid":%s,"pingInterval":%s,"pingTimeout":%s,"maxPayload":%s}`, tt.sid, tt.interval, tt.timeout, tt.most)
		data += strings.Repeat(" ", max(tt.size-len(data), 0))
		if _, err := parseOpening([]byte(data)); (err == nil) != tt.ok {
			t.Errorf("%.100s, %d bytes: %v", data, len(data), err)
		}
	}
}
