package conn_test

import (
	"bytes"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// fragments returns a message of n frames with the given payload each; the
// last of them ends it if it is whole.
func fragments(n int, payload string, whole bool) []wstest.Frame {
	frames := make([]wstest.Frame, n)
	for i := range frames {
		frames[i] = wstest.Cont(payload).More()
	}
	frames[0].Header.Opcode = frame.Binary
	frames[n-1].Header.Fin = whole
	return frames
}

// A message may come in 1,024 fragments and one more for each 16 octets.
func TestFragments(t *testing.T) {
	tests := []struct {
		name    string
		n       int
		payload string
		code    frame.StatusCode // 0: legal
	}{
		{"empty", 1024, "", 0},
		{"one empty too many", 1025, "", frame.StatusPolicyViolation},
		{"of one octet", 1092, "x", 0},
		{"one of one octet too many", 1093, "x", frame.StatusPolicyViolation},
		{"65,537 of 64 octets", 65_537, string(bytes.Repeat([]byte("x"), 64)), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				allWays(t, func(t *testing.T, w way) {
					o := limits(conn.Limits{Message: 8 << 20})
					c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o, Size: 8 << 20})
					p.Send(fragments(tt.n, tt.payload, tt.code == 0)...)
					if tt.code == 0 {
						if _, got, err := w.read(c); err != nil || len(got) != tt.n*len(tt.payload) {
							t.Errorf("got %d octets, %v", len(got), err)
						}
						return
					}
					failed := make(chan error, 1)
					go func() {
						_, _, err := w.read(c)
						failed <- err
					}()
					p.WantClose(tt.code)
					p.Close()
					wantCode(t, <-failed, tt.code)
				})
			})
		})
	}
}
