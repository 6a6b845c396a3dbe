package conn

import "testing"

// TestClosing walks through every state and event of the closing handshake.
func TestClosing(t *testing.T) {
	tests := []struct {
		from  closing
		event closeEvent
		to    closing
		do    closeAction
	}{
		{open, localClose, sentClose, sendClose},
		{open, peerClose, discarding, sendThenHalf},
		{open, failure, discarding, sendThenHalf},
		{open, streamEnd, over, dropStream},
		{open, closeExpiry, over, dropStream},
		{sentClose, localClose, sentClose, nothing},
		{sentClose, peerClose, discarding, half},
		{sentClose, failure, discarding, half},
		{sentClose, streamEnd, over, dropStream},
		{sentClose, closeExpiry, over, dropStream},
		{discarding, localClose, discarding, nothing},
		{discarding, peerClose, discarding, nothing},
		{discarding, failure, discarding, nothing},
		{discarding, streamEnd, over, dropStream},
		{discarding, closeExpiry, over, dropStream},
		{over, localClose, over, nothing},
		{over, peerClose, over, nothing},
		{over, failure, over, nothing},
		{over, streamEnd, over, nothing},
		{over, closeExpiry, over, nothing},
	}
	for _, tt := range tests {
		if to, do := tt.from.on(tt.event); to != tt.to || do != tt.do {
			t.Errorf("%d on %d: %d and %d, want %d and %d", tt.from, tt.event, to, do, tt.to, tt.do)
		}
	}
}
