package conn_test

import (
	"bytes"
	"compress/flate"
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// gibibyte returns a deflated message of about 1 MiB that stands for 1 GiB.
func gibibyte(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(make([]byte, 1<<20))
	w.Flush()
	return bytes.Repeat(b.Bytes(), 1<<10)
}

// A message of 1 MiB that would become 1 GiB costs no more than the limit and
// 8 MiB, and is refused with 1009, in one frame or in many.
func TestInflationBomb(t *testing.T) {
	octets := gibibyte(t)
	if len(octets) < 1<<20 || len(octets) > 2<<20 {
		t.Fatalf("the bomb has %d octets", len(octets))
	}
	const limit = 2 << 20
	for _, cuts := range []int{1, 16} {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			allWays(t, func(t *testing.T, w way) {
				o := limits(conn.Limits{Message: limit})
				c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Server: o, Client: o, Deflate: deflate, Size: 8 << 20})
				var frames []wstest.Frame
				for i := range cuts {
					part := octets[i*len(octets)/cuts : (i+1)*len(octets)/cuts]
					frames = append(frames, wstest.Cont(string(part)).More())
				}
				frames[0] = wstest.Binary(frames[0].Payload).More().Rsv(1)
				frames[cuts-1].Header.Fin = true
				p.Send(frames...)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				failed := make(chan error, 1)
				go func() {
					_, _, err := w.read(c)
					failed <- err
				}()
				p.WantClose(frame.StatusMessageTooBig)
				runtime.ReadMemStats(&after)
				// All that was allocated is more than what was held at once.
				if n := after.TotalAlloc - before.TotalAlloc; n > limit+8<<20 {
					t.Errorf("%d octets were allocated", n)
				}
				p.Close()
				wantCode(t, <-failed, frame.StatusMessageTooBig)
			})
		})
	}
}

// Compressed data that is cut, or that says nothing for ever, ends, with an
// error or without, and never spins.
func TestInflationEnds(t *testing.T) {
	whole := wstest.Text(strings.Repeat("hello, world ", 100)).Deflated().Payload
	const empty = "\x00\x00\x00\xFF\xFF" // a stored block of length 0
	tests := []struct {
		name    string
		payload string
		code    frame.StatusCode // 0: legal
		want    string
	}{
		{"no block at all", "", frame.StatusInvalidPayload, ""}, // nothing is "\x00": RFC 7692, section 7.2.3.6
		{"empty block", "\x00", 0, ""},
		{"100,000 empty blocks", strings.Repeat(empty, 100_000) + "\x00", 0, ""},
		{"cut in a block", string(whole[:len(whole)/2]), frame.StatusInvalidPayload, ""},
		{"cut in a stored block", "\x00\x05\x00\xFA\xFFhe", frame.StatusInvalidPayload, ""},
		{"wrong length of a stored block", "\x00\x05\x00\x05\x00hello", frame.StatusInvalidPayload, ""},
		{"block of no type", "\x06", frame.StatusInvalidPayload, ""},
		{"reference before the start", "\xf2\x00\x11\x00\x00", frame.StatusInvalidPayload, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Deflate: deflate})
				p.Send(wstest.Text(tt.payload).Rsv(1))
				if tt.code == 0 {
					if _, got, err := c.Read(context.Background()); err != nil || string(got) != tt.want {
						t.Errorf("got %q, %v", got, err)
					}
					return
				}
				failed := make(chan error, 1)
				go func() {
					_, _, err := c.Read(context.Background())
					failed <- err
				}()
				p.WantClose(tt.code)
				p.Close()
				wantCode(t, <-failed, tt.code)
			})
		})
	}
}
