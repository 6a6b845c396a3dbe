package suite

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyws/parley/frame"
)

// framesOf returns the payload length of each frame in wire, with a leading F
// if FIN is set.
func framesOf(t *testing.T, wire []byte) (frames []string) {
	t.Helper()
	for len(wire) > 0 {
		h, n, err := frame.Parse(wire)
		if err != nil || n == 0 {
			t.Fatalf("% X: %v", wire, err)
		}
		length := strconv.FormatInt(h.Length, 10)
		if h.Fin {
			length = "F" + length
		}
		frames = append(frames, length)
		wire = wire[n+int(h.Length):]
	}
	return frames
}

// If the fragment size divides the length of the message, the suite ends with an empty
// frame.
func TestFragments(t *testing.T) {
	for _, tt := range []struct {
		size, fragment int
		want           string
	}{
		{5, 0, "F5"},
		{5, 5, "F5"},
		{5, 6, "F5"},
		{5, 2, "2 2 F1"},
		{6, 2, "2 2 2 F0"},
		{3, 1, "1 1 1 F0"},
	} {
		f := newFuzzer(nil, Case{}, &Options{}, false)
		f.queue(piece{op: frame.Text, rsv: 4, data: filler{"*", tt.size}, fragment: tt.fragment}, burst)
		if got := strings.Join(framesOf(t, f.wire), " "); got != tt.want {
			t.Errorf("%d in fragments of %d: got %s, want %s", tt.size, tt.fragment, got, tt.want)
		}
		h, _, _ := frame.Parse(f.wire)
		if h.Opcode != frame.Text || !h.Rsv1 || h.Masked {
			t.Errorf("first frame: %+v", h)
		}
	}
}

// writes is a stream that records the bytes of each Write.
type writes struct {
	net.Conn
	got []string
}

func (w *writes) Write(p []byte) (int, error)      { w.got = append(w.got, string(p)); return len(p), nil }
func (w *writes) SetWriteDeadline(time.Time) error { return nil }

func TestSending(t *testing.T) {
	for _, tt := range []struct {
		how   sending
		want  []string
		turns int
	}{
		{burst, []string{"\x81\x02hi\x89\x01!"}, 0},
		{frameWise, []string{"\x81\x02hi", "\x89\x01!"}, 2},
		{3, []string{"\x81\x02h", "i\x89\x01", "!"}, 3},
		{octetWise, []string{"\x81", "\x02", "h", "i", "\x89", "\x01", "!"}, 7},
	} {
		turns := 0
		var w writes
		f := newFuzzer(&w, Case{}, &Options{Turn: func() { turns++ }}, false)
		f.queue(text("hi"), tt.how)
		f.queue(ping("!"), tt.how)
		f.flush(tt.how)
		if diff := cmp.Diff(tt.want, w.got); diff != "" {
			t.Errorf("%d:\n%s", tt.how, diff)
		}
		if turns != tt.turns {
			t.Errorf("%d: %d turns, want %d", tt.how, turns, tt.turns)
		}
	}
}

func TestMasking(t *testing.T) {
	f := newFuzzer(nil, Case{}, &Options{MaskKey: func() [4]byte { return [4]byte{1, 2, 3, 4} }}, true)
	f.queue(binaryOf("\x00\x00\x00\x00\x10"), burst)
	if want := "\x82\x85\x01\x02\x03\x04\x01\x02\x03\x04\x11"; string(f.wire) != want {
		t.Errorf("got % X, want % X", f.wire, want)
	}
}

// A peer that closes the stream, or does not speak WebSocket, fails the case.
func TestNoHandshake(t *testing.T) {
	for _, answer := range []string{
		"",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
	} {
		nc, peer := net.Pipe()
		go func() {
			var request [4096]byte
			peer.Read(request[:])
			io.Copy(peer, bytes.NewBufferString(answer))
			peer.Close()
		}()
		v := RunServer(nc, Case{ID: "x"}, nil)
		if v.Behaviour != Failed || v.BehaviourClose != Failed || v.Detail == "" {
			t.Errorf("%q: %v", answer, v)
		}
	}
	for _, request := range []string{
		"",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n",
	} {
		nc, peer := net.Pipe()
		go func() {
			io.WriteString(peer, request)
			if request == "" {
				peer.Close()
			}
			io.Copy(io.Discard, peer)
		}()
		v := RunClient(nc, Case{ID: "x"}, nil)
		if v.Behaviour != Failed || v.BehaviourClose != Failed || v.Detail == "" {
			t.Errorf("%q: %v", request, v)
		}
	}
}
