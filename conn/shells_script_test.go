package conn_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// A shellScript is what a client sends, in which pieces and when, and what the server does
// with it. It comes from a seed.
type shellScript struct {
	deflate *handshake.Deflate
	options conn.Options
	size    int // of the stream's buffers
	pieces  []shellPiece
	cut     bool          // at the end the client closes the stream; else its direction alone
	pause   time.Duration // of the client after each read
	act     shellAct
	at      int // the number of the message at which the handler does what act says
}

// A shellPiece is sent in one write.
type shellPiece struct {
	b    []byte
	wait time.Duration // before it; 0: none, negative: until nothing moves
}

// A shellAct is what a handler does at one of its messages, where it does not send it back.
type shellAct uint8

const (
	actEcho     shellAct = iota
	actSend              // it sends this one and all that follow by Send
	actFragment          // it sends this one and all that follow by a Writer
	actFail              // it returns an error
	actPanic             // it panics
	actClose             // it closes the connection
	actCloseNow          // it cuts it
	actWait              // it takes a second
	acts        = int(actWait) + 1
)

// newShellScript makes a script of a seed.
func newShellScript(seed uint64) *shellScript {
	r := rand.New(rand.NewPCG(seed, 14))
	s := &shellScript{size: 1 << 20, cut: r.IntN(3) == 0, act: shellAct(r.IntN(acts)), at: r.IntN(4)}
	switch r.IntN(3) {
	case 0:
		s.deflate = &handshake.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	case 1:
		s.deflate = &handshake.Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	}
	s.options.Compression.MinSize = -1
	if r.IntN(4) == 0 {
		s.options.Limits.Message = 100
	}
	pings := s.act != actSend // what is queued lets a Pong pass, or not
	if r.IntN(4) == 0 {       // a slow client: of several Pings that wait the latest alone is answered
		s.size, s.pause, pings = 1<<(8+r.IntN(4)), time.Duration(r.IntN(20))*time.Millisecond, false
		s.cut = false // what it has not read yet would be lost
		if actFail <= s.act && s.act <= actCloseNow {
			s.act = actEcho // a handler on a goroutine waits for the client before it does that
		}
	}
	var b []byte
	for range 1 + r.IntN(8) {
		b = s.append(b, r, pings)
	}
	if r.IntN(4) == 0 {
		b = b[:r.IntN(len(b)+1)]
	}
	s.split(b, r)
	return s
}

// append appends what a client may send, or may not.
func (s *shellScript) append(b []byte, r *rand.Rand, pings bool) []byte {
	add := func(f wstest.Frame) {
		f.Header.Masked, f.Header.Length = true, int64(len(f.Payload))
		binary.BigEndian.PutUint32(f.Header.MaskKey[:], r.Uint32())
		b = f.Append(b)
	}
	switch n := r.IntN(40); {
	case n < 24:
		for _, f := range s.message(r, pings) {
			add(f)
		}
	case n < 28 && pings:
		add(wstest.Ping(letters(r, r.IntN(126))))
	case n < 30:
		add(wstest.Pong(letters(r, r.IntN(126))))
	case n < 33:
		codes := []frame.StatusCode{1000, 1001, 1002, 1007, 1011, 3000, 4999, frame.StatusNoStatus, 1004, 1006, 2999, 0}
		add(wstest.Close(codes[r.IntN(len(codes))], letters(r, r.IntN(20))))
	case n < 38:
		wrong := []wstest.Frame{
			wstest.Text("a bit").Rsv(2), wstest.Binary([]byte("bits")).Rsv(3), wstest.Ping("no bit").Rsv(1),
			wstest.Text("\xFF"), wstest.Text("half \xC3"), wstest.Cont("of nothing"), wstest.Ping("in parts").More(),
			wstest.Ping(letters(r, 126)), wstest.Text("never ends").More(), wstest.Binary([]byte("not compressed")).Rsv(1),
			{Header: frame.Header{Fin: true, Opcode: frame.Opcode(3 + r.IntN(5))}}, {Header: frame.Header{Fin: true, Opcode: frame.Close}, Payload: []byte{3}},
		}
		add(wrong[r.IntN(len(wrong))])
	case n == 38: // unmasked
		b = wstest.Text("bare").Append(b)
	default:
		for range r.IntN(30) {
			b = append(b, byte(r.Uint32()))
		}
	}
	return b
}

// message returns the frames of a message, and maybe control frames between them.
func (s *shellScript) message(r *rand.Rand, pings bool) (frames []wstest.Frame) {
	size := r.IntN(1 << r.IntN(10))
	if r.IntN(50) == 0 {
		size = r.IntN(150_000)
	}
	f := wstest.Text(letters(r, size))
	if r.IntN(2) == 0 {
		f = wstest.Binary([]byte(letters(r, size)))
	}
	if s.deflate != nil && r.IntN(2) == 0 {
		f = f.Deflated()
	}
	for parts := r.IntN(4); parts > 0; parts-- {
		part := f.More()
		n := r.IntN(len(f.Payload) + 1)
		part.Payload = f.Payload[:n]
		frames = append(frames, part)
		if pings && r.IntN(3) == 0 {
			frames = append(frames, wstest.Ping(letters(r, 3)))
		}
		f.Header.Opcode, f.Header.Rsv1, f.Payload = frame.Continuation, false, f.Payload[n:]
	}
	return append(frames, f)
}

// letters returns a text of n bytes.
func letters(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefgh"[r.IntN(8)]
	}
	if n > 1 && r.IntN(2) == 0 {
		copy(b, "\u00FC")
	}
	return string(b)
}

// split cuts b into pieces.
func (s *shellScript) split(b []byte, r *rand.Rand) {
	most := 1 << r.IntN(18)
	most = max(most, len(b)/200)
	slow := r.IntN(3) == 0
	for len(b) > 0 {
		n := min(1+r.IntN(most), len(b))
		p := shellPiece{b: b[:n]}
		switch {
		case r.IntN(3) == 0:
			p.wait = -1
		case slow && r.IntN(4) == 0:
			p.wait = time.Duration(r.IntN(20_000)) * time.Millisecond
		}
		s.pieces = append(s.pieces, p)
		b = b[n:]
	}
}

func (s *shellScript) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "deflate %+v, limit %d, buffers of %d, pause %v, cut %v, act %d at %d",
		s.deflate, s.options.Limits.Message, s.size, s.pause, s.cut, s.act, s.at)
	for _, p := range s.pieces[:min(20, len(s.pieces))] {
		fmt.Fprintf(&b, "\n\twait %v, send %.80x (%d bytes)", p.wait, p.b, len(p.b))
	}
	return b.String()
}
