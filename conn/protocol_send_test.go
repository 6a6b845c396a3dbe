package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

var roles = map[string]conn.Role{"server": conn.RoleServer, "client": conn.RoleClient}

// watch runs what the application does on a Conn in the given role, closes the
// Conn and returns the frames that it sent.
func watch(t *testing.T, role conn.Role, terms *handshake.Deflate, do func(ctx context.Context, c *conn.Conn)) []received {
	t.Helper()
	ours, peer := pipe.New()
	defer peer.Close()
	peer.SetDeadline(time.Now().Add(20 * time.Second))
	c := must(conn.New(&handshake.Result{Conn: ours, Deflate: terms}, role, nil))
	defer c.CloseNow()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(t.Context(), c)
		c.Close(frame.StatusNormalClosure, "")
	}()
	frames := receiveFrames(t, peer, role)
	<-done
	return frames
}

// wantNoError fails the test on an error of a call that has to succeed.
func wantNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// A whole message is one frame with FIN set, its type as the opcode and its
// length in the shortest form, which frame.Parse insists on (RFC 6455, sections
// 5.2, 5.4 and 6.1).
func TestSendsWholeMessages(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 127, 65535, 65536, 200_000}
	for name, role := range roles {
		frames := watch(t, role, nil, func(ctx context.Context, c *conn.Conn) {
			for i, size := range sizes {
				op := conn.MessageType(i%2 == 1)
				wantNoError(t, c.Write(ctx, op, bytes.Repeat([]byte("x"), size)))
			}
		})
		if len(frames) != len(sizes)+1 {
			t.Fatalf("%s: %d frames", name, len(frames))
		}
		for i, size := range sizes {
			f := frames[i]
			if !f.Fin || f.Rsv1 || f.Opcode != []frame.Opcode{frame.Text, frame.Binary}[i%2] ||
				!bytes.Equal(f.payload, bytes.Repeat([]byte("x"), size)) {
				t.Errorf("%s: %d octets as %+v", name, size, f.Header)
			}
		}
	}
}

// A Writer's message is a first frame of its type and continuations, FIN on
// the last one alone, with control frames between them where they fall (RFC
// 6455, section 5.4).
func TestSendsFragments(t *testing.T) {
	p := bytes.Repeat([]byte("0123456789"), 20_000)
	for name, role := range roles {
		synctest.Test(t, func(t *testing.T) {
			testSendsFragments(t, name, role, p)
		})
	}
}

func testSendsFragments(t *testing.T, name string, role conn.Role, p []byte) {
	frames := watch(t, role, nil, func(ctx context.Context, c *conn.Conn) {
		w, err := c.Writer(ctx, conn.Text)
		wantNoError(t, err)
		_, err = w.Write(p[:150_000])
		wantNoError(t, err)
		expiring, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := c.Ping(expiring); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v", err)
		}
		_, err = w.Write(p[150_000:])
		wantNoError(t, err)
		wantNoError(t, w.Close())
		wantNoError(t, c.Write(ctx, conn.Binary, nil))
	})
	var got []byte
	var kinds []string
	for _, f := range frames {
		kinds = append(kinds, fmt.Sprintf("%v %t", f.Opcode, f.Fin))
		if !f.Opcode.IsControl() {
			got = append(got, f.payload...)
		}
	}
	want := []string{"text false", "continuation false", "ping true", "continuation false",
		"continuation true", "binary true", "close true"}
	if diff := cmp.Diff(want, kinds); diff != "" || !bytes.Equal(got, p) {
		t.Errorf("%s, the same octets %t (-want +got):\n%s", name, bytes.Equal(got, p), diff)
	}
}

// Each frame of a client has a key of its own that does not follow from the
// ones before, and none of a server has one (RFC 6455, sections 5.1, 5.3 and
// 10.3).
func TestSendsFreshMaskKeys(t *testing.T) {
	const n = 20_000
	frames := watch(t, conn.RoleClient, nil, func(ctx context.Context, c *conn.Conn) {
		for range n {
			wantNoError(t, c.Write(ctx, conn.Binary, []byte("same")))
		}
	})
	seen := map[[4]byte]bool{}
	var ones [32]int
	for _, f := range frames {
		if string(f.payload) != "same" && f.Opcode == frame.Binary {
			t.Fatalf("payload %q", f.payload)
		}
		seen[f.MaskKey] = true
		for i := range ones {
			ones[i] += int(f.MaskKey[i/8] >> (i % 8) & 1)
		}
	}
	// Of 20,000 random keys 0.05 meet another; 8 do in no more than one of 10^15 runs.
	if len(seen) < len(frames)-8 {
		t.Errorf("%d different keys in %d frames", len(seen), len(frames))
	}
	for i, count := range ones { // 8 standard deviations of 71
		if count < n/2-566 || count > n/2+566 {
			t.Errorf("bit %d is set in %d of %d keys", i, count, n)
		}
	}
	for _, f := range watch(t, conn.RoleServer, nil, func(ctx context.Context, c *conn.Conn) {
		wantNoError(t, c.Write(ctx, conn.Binary, []byte("same")))
	}) {
		if f.Masked {
			t.Errorf("a server sent % x", f.raw)
		}
	}
}

// RFC 7692, section 6.1: RSV1 says that a message is compressed, on its first
// frame; a compressed message is one frame here. What agreed parameters forbid
// is not made use of (section 7.1.1).
func TestSendsCompressed(t *testing.T) {
	text := []byte(strings.Repeat("Hello, world. ", 30))
	for name, role := range roles {
		for terms, takeover := range map[*handshake.Deflate]bool{noTakeover: false, withTakeover: true} {
			frames := watch(t, role, terms, func(ctx context.Context, c *conn.Conn) {
				wantNoError(t, c.Write(ctx, conn.Text, text))
				wantNoError(t, c.Write(ctx, conn.Text, []byte("short")))
				wantNoError(t, c.WritePrepared(ctx, conn.NewPrepared(conn.Text, text)))
				w, err := c.Writer(ctx, conn.Text)
				wantNoError(t, err)
				_, err = w.Write(text)
				wantNoError(t, err)
				wantNoError(t, w.Close())
				wantNoError(t, c.Write(ctx, conn.Text, text))
			})
			var sizes []int
			for i, f := range frames {
				compressed := i != 1 && f.Opcode == frame.Text
				if f.Rsv1 != compressed || !f.Fin {
					t.Errorf("%s, takeover %t: frame %d is %+v", name, takeover, i, f.Header)
				}
				sizes = append(sizes, len(f.payload))
				if compressed && bytes.HasSuffix(f.payload, []byte("\x00\x00\xff\xff")) {
					t.Errorf("%s, takeover %t: frame %d ends with the tail", name, takeover, i)
				}
			}
			if len(frames) != 6 {
				t.Fatalf("%d frames", len(frames))
			}
			shorter := sizes[4] < sizes[0]
			if shorter != takeover {
				t.Errorf("%s, takeover %t: frames of %v octets", name, takeover, sizes)
			}
		}
	}
}

// The status codes that may stand in a Close frame, as RFC 6455, section 7.4,
// and the registry have them, at the edges of each range.
var closeCodes = map[frame.StatusCode]bool{
	1: false, 999: false, 1000: true, 1001: true, 1002: true, 1003: true, 1004: false, 1005: false,
	1006: false, 1007: true, 1008: true, 1009: true, 1010: true, 1011: true, 1012: true, 1013: true,
	1014: true, 1015: false, 1016: false, 1100: false, 2000: false, 2999: false, 3000: true, 3999: true,
	4000: true, 4999: true, 5000: false, 65535: false, 0: false,
}

func TestReceivesCloseCodes(t *testing.T) {
	for name, role := range roles {
		for code, legal := range closeCodes {
			script := fmt.Sprintf("88 02 %04x", uint16(code))
			want := transcript{fmt.Sprintf("close %d", code)}
			if !legal {
				want = transcript{"close 1002"}
			}
			if sent, _ := play(t, role, nil, nil, false, script); !cmp.Equal(want, sent) {
				t.Errorf("%s, code %d: sent %v", name, code, sent)
			}
		}
	}
}

func TestSendsCloseCodes(t *testing.T) {
	for name, role := range roles {
		for code, legal := range closeCodes {
			if code == frame.StatusNoStatus {
				continue // an empty Close frame: below
			}
			frames := watch(t, role, nil, func(_ context.Context, c *conn.Conn) {
				err := c.Close(code, "why")
				if errors.Is(err, net.ErrClosed) || legal && err != nil && !strings.Contains(err.Error(), "did not answer") || !legal && err == nil {
					t.Errorf("%s, Close(%d): %v", name, code, err)
				}
			})
			want := string([]byte{byte(code >> 8), byte(code)}) + "why"
			if !legal {
				want = "\x03\xe8" // that of watch
			}
			if len(frames) != 1 || string(frames[0].payload) != want {
				t.Errorf("%s, Close(%d) sent %+v", name, code, frames)
			}
		}
		frames := watch(t, role, nil, func(_ context.Context, c *conn.Conn) { c.Close(frame.StatusNoStatus, "") })
		if len(frames) != 1 || len(frames[0].payload) != 0 {
			t.Errorf("%s, Close without a status sent %+v", name, frames)
		}
	}
}

// Behind our Close frame nothing is sent (RFC 6455, section 5.5.1): calls fail,
// Pings go unanswered, and what the peer still sends is discarded.
func TestNothingBehindClose(t *testing.T) {
	for name, role := range roles {
		ours, peer := pipe.New()
		peer.SetDeadline(time.Now().Add(20 * time.Second))
		c := must(conn.New(&handshake.Result{Conn: ours}, role, nil))
		closed := make(chan error)
		read := make(chan transcript)
		go func() { read <- readAll(t.Context(), c) }()
		go func() { closed <- c.Close(4000, "enough") }()
		header := make([]byte, 2)
		if _, err := io.ReadFull(peer, header); err != nil || header[0] != 0x88 {
			t.Fatalf("%s: % x, %v", name, header, err)
		}
		if err := c.Write(t.Context(), conn.Text, nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Write: %v", name, err)
		}
		if err := c.Ping(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Ping: %v", name, err)
		}
		if err := c.Close(4000, "again"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Close: %v", name, err)
		}
		for _, s := range []string{hello, "89 00", hello, "88 02 0f a0", endOfStream} {
			sendScript(t, peer, role, s)
		}
		rest, err := io.ReadAll(peer)
		if size := int(header[1] & 0x7F); role == conn.RoleServer && len(rest) != size || role == conn.RoleClient && len(rest) != size+4 || err != nil {
			t.Errorf("%s: behind the Close frame came % x, %v", name, rest, err)
		}
		if err := <-closed; err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if got := <-read; len(got) != 1 || !strings.Contains(got[0], net.ErrClosed.Error()) {
			t.Errorf("%s: read %v", name, got)
		}
		peer.Close()
	}
}

// RFC 6455, section 7.1.1: the server ends the stream first, at once; the
// client waits for that, but not for ever.
func TestWhoEndsTheStream(t *testing.T) {
	for name, wait := range map[string]time.Duration{"server": 0, "client": 5 * time.Second} {
		for _, failing := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				ours, peer := pipe.New()
				c := must(conn.New(&handshake.Result{Conn: ours}, roles[name], nil))
				go readAll(t.Context(), c)
				begin := time.Now()
				if failing {
					sendScript(t, peer, roles[name], "83 00")
				} else {
					sendScript(t, peer, roles[name], bye)
				}
				if _, err := io.ReadAll(peer); err != nil && !errors.Is(err, io.ErrClosedPipe) {
					t.Error(err)
				}
				if took := time.Since(begin); took != wait {
					t.Errorf("%s, failing %t: the stream ended after %v", name, failing, took)
				}
				peer.Close()
				c.CloseNow()
			})
		}
	}
}
