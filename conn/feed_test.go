package conn

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/mask"
)

// testTerms has context takeover both ways and small windows.
var testTerms = &handshake.Deflate{ServerMaxWindowBits: 10, ClientMaxWindowBits: 10}

func testFeed(deflate bool) *feed {
	var agreed *handshake.Deflate
	if deflate {
		agreed = testTerms
	}
	f := newFeed(RoleServer, agreed, &Options{}, Limits{Message: 1 << 20}.withDefaults())
	return &f
}

// A delivery is what a feed made of a stream.
type delivery struct {
	op      frame.Opcode
	payload string
}

// run feeds stream in pieces, whose lengths chunk gives, the way inbound does:
// what is not used up is shown again with what follows it. Large payloads go
// straight into place now and then. Used octets are overwritten. stream mode is
// as inParts says, which is asked whenever a read could have given way to
// another.
func run(f *feed, stream []byte, inParts func() bool, chunk func() int) (got []delivery, parts bool, err error) {
	var buffered []byte
	var part []byte
	take := func(n int) []byte {
		n = min(n, len(stream))
		p := stream[:n]
		stream = stream[n:]
		return p
	}
	begun := false // a part has been handed out
	for {
		if !begun {
			f.stream = inParts()
		}
		n, e, err := f.next(buffered)
		if err != nil {
			return got, parts, err
		}
		if n == 0 && e == eventNone {
			if len(stream) == 0 {
				return got, parts, nil
			}
			if room := f.room(); room != nil && len(buffered) == 0 {
				p := take(min(len(room), chunk()))
				e, err = f.filled(copy(room, p))
				if err != nil {
					return got, parts, err
				}
			} else {
				buffered = append(bytes.Clone(buffered), take(chunk())...)
			}
		}
		switch e {
		case eventControl:
			got = append(got, delivery{f.opcode, string(f.payload)})
		case eventMessage:
			got = append(got, delivery{f.opcode, string(f.payload)})
			f.release()
		case eventPart:
			parts, begun = true, !f.last
			part = append(part, f.payload...)
			if f.last {
				got = append(got, delivery{f.opcode, string(part)})
				part = nil
				f.release()
			}
		}
		for i := range buffered[:n] {
			buffered[i] = 0xDB
		}
		buffered = buffered[n:]
	}
}

// appendFrame appends a frame as a client sends it.
func appendFrame(b []byte, h frame.Header, p []byte) []byte {
	h.Masked, h.MaskKey, h.Length = true, [4]byte{byte(len(b)), 0x37, 0xFA, 0x21}, int64(len(p))
	b = h.Append(b)
	n := len(b)
	b = append(b, p...)
	mask.Bytes(b[n:], h.MaskKey, 0)
	return b
}

// randomStream returns a legal stream and what it says. It is the oracle: it
// knows the messages because it made them.
func randomStream(r *rand.Rand, deflate bool) (stream []byte, want []delivery) {
	d := newDeflater(nil, true, 10)
	for range 1 + r.IntN(6) {
		p := bytes.Repeat([]byte("Grüße "), r.IntN(4))
		if r.IntN(4) == 0 {
			p = bytes.Repeat([]byte("wellen€"), r.IntN(20000))
		}
		h := frame.Header{Opcode: frame.Text + frame.Opcode(r.IntN(2))}
		want = append(want, delivery{h.Opcode, string(p)})
		if deflate && r.IntN(2) == 0 {
			h.Rsv1 = true
			p, _ = d.compress(nil, p)
		}
		var pings []delivery
		for fragment := 0; ; fragment++ {
			n := len(p)
			if r.IntN(3) > 0 {
				n = r.IntN(len(p) + 1)
			}
			h.Fin = fragment == 5 || n == len(p) && r.IntN(2) == 0
			if h.Fin {
				n = len(p)
			}
			stream = appendFrame(stream, h, p[:n])
			p = p[n:]
			if h.Fin {
				break
			}
			h.Opcode, h.Rsv1 = frame.Continuation, false
			if r.IntN(3) == 0 {
				ping := delivery{frame.Ping, "ping"}
				stream = appendFrame(stream, frame.Header{Fin: true, Opcode: frame.Ping}, []byte(ping.payload))
				pings = append(pings, ping)
			}
		}
		message := want[len(want)-1]
		want = append(append(want[:len(want)-1], pings...), message)
	}
	return stream, want
}

// TestFeedChunks checks that the pieces in which a stream comes make no
// difference to what it says.
func TestFeedChunks(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		deflate := seed%2 == 0
		stream, want := randomStream(r, deflate)
		limit := 1 + r.IntN(1+len(stream))
		f := testFeed(deflate)
		inParts := func() bool { return seed%3 == 0 || seed%3 == 1 && r.IntN(2) == 0 }
		got, _, err := run(f, bytes.Clone(stream), inParts, func() int { return 1 + r.IntN(limit) })
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		compareDeliveries(t, seed, got, want)
		if f.underWay() {
			t.Errorf("seed %d: something is under way behind the last message", seed)
		}
	}
}

func compareDeliveries(t *testing.T, seed uint64, got, want []delivery) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("seed %d: event %d is %v with %d octets, want %v with %d", seed, i,
				got[i].op, len(got[i].payload), want[i].op, len(want[i].payload))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("seed %d: %d events, want %d", seed, len(got), len(want))
	}
}

// FuzzFeed shows any octets to a feed, at once and in pieces: the events and
// the verdict are the same.
func FuzzFeed(f *testing.F) {
	for seed := range uint64(8) {
		stream, _ := randomStream(rand.New(rand.NewPCG(seed, 2)), seed%2 == 0)
		if len(stream) < 4096 {
			f.Add(stream, seed, seed%2 == 0)
		}
	}
	f.Add([]byte{0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28}, uint64(1), false)
	f.Add([]byte{0xC1, 0x83, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF}, uint64(1), true)
	f.Add([]byte{0x82, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0xFF, 0xFF, 1, 2, 3, 4, 5}, uint64(3), false)
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64, deflate bool) {
		whole, _, wholeErr := run(testFeed(deflate), bytes.Clone(stream), func() bool { return false }, func() int { return len(stream) })
		r := rand.New(rand.NewPCG(seed, 3))
		for _, mode := range []struct {
			name    string
			inParts func() bool
		}{
			{"no", func() bool { return false }},
			{"yes", func() bool { return true }},
			{"sometimes", func() bool { return r.IntN(2) == 0 }},
		} {
			got, _, err := run(testFeed(deflate), bytes.Clone(stream), mode.inParts, func() int { return 1 + r.IntN(9) })
			if err != wholeErr {
				t.Fatalf("in pieces (parts: %s): %v, at once: %v", mode.name, err, wholeErr)
			}
			compareDeliveries(t, seed, got, whole)
		}
	})
}

// TestFeedGrowth declares what never comes: memory is taken for what does.
func TestFeedGrowth(t *testing.T) {
	f := testFeed(false)
	h := frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, Length: 1 << 20}
	if n, e, err := f.next(h.Append(nil)); n == 0 || e != eventNone || err != nil {
		t.Fatal(n, e, err)
	}
	for came := 0; came < 1<<20; {
		room := f.room()
		if room == nil {
			break
		}
		if c, most := cap(f.message.b), max(largeBuffer, 2*came); c > most && c > bufferSize(most) {
			t.Fatalf("capacity %d after %d octets", c, came)
		}
		n := min(len(room), 10000)
		if _, err := f.filled(n); err != nil {
			t.Fatal(err)
		}
		came += n
	}
}

// bufferSize returns the size of the pooled buffer that holds n octets.
func bufferSize(n int) int {
	for _, size := range bufferSizes {
		if n <= size {
			return size
		}
	}
	return n
}
