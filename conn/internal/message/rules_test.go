package message

import (
	"fmt"
	"math"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/frame"
)

// A sentence is one rule of the RFC as a predicate on a frame. The sentences
// together are the oracle. Each stands on its own; their order does not matter.
type sentence struct {
	section string
	says    string
	broken  func(b0, b1 byte, length int64, s situation) bool
	reason  error
}

// A situation holds everything but the frame itself on which its legality depends.
type situation struct {
	server  bool  // we are the server
	deflate bool  // permessage-deflate was agreed
	inside  bool  // a fragmented message has begun
	size    int64 // bytes of that message so far
	zipped  bool  // that message is compressed
}

func (s situation) String() string {
	return fmt.Sprintf("server=%t deflate=%t inside=%t size=%d zipped=%t", s.server, s.deflate, s.inside, s.size, s.zipped)
}

const oracleLimit = 100_000

var sentences = []sentence{
	{"5.1", "a server fails the connection on a frame that is not masked",
		func(_, b1 byte, _ int64, s situation) bool { return s.server && b1>>7 == 0 }, errUnmasked},
	{"5.1", "a client fails the connection on a masked frame",
		func(_, b1 byte, _ int64, s situation) bool { return !s.server && b1>>7 == 1 }, errMasked},
	{"5.2", "RSV2 and RSV3 are 0 unless an extension says otherwise",
		func(b0, _ byte, _ int64, _ situation) bool { return b0&0b0011_0000 != 0 }, errReservedBits},
	{"5.2", "RSV1 is 0 unless an extension says otherwise",
		func(b0, _ byte, _ int64, s situation) bool { return b0&0b0100_0000 != 0 && !s.deflate }, errRsv1},
	{"7692 6.1", "RSV1 is 0 in control frames and in frames that begin no message",
		func(b0, _ byte, _ int64, _ situation) bool {
			return b0&0b0100_0000 != 0 && b0&0xF != 1 && b0&0xF != 2
		}, errRsv1},
	{"5.2", "3 to 7 and B to F are reserved",
		func(b0, _ byte, _ int64, _ situation) bool {
			return map[byte]bool{3: true, 4: true, 5: true, 6: true, 7: true, 11: true, 12: true, 13: true, 14: true, 15: true}[b0&0xF]
		}, errReservedOpcode},
	{"5.4", "a continuation needs a message under way",
		func(b0, _ byte, _ int64, s situation) bool { return b0&0xF == 0 && !s.inside }, errNoMessage},
	{"5.4", "fragments of one message are not interleaved with those of another",
		func(b0, _ byte, _ int64, s situation) bool { return (b0&0xF == 1 || b0&0xF == 2) && s.inside }, errInterleaved},
	{"5.5", "control frames are not fragmented",
		func(b0, _ byte, _ int64, _ situation) bool {
			return b0&0x80 == 0 && b0&0xF >= 8 && b0&0xF <= 10
		}, errControlFin},
	{"5.5", "control frames hold 125 octets or less",
		func(b0, _ byte, length int64, _ situation) bool {
			return length >= 126 && b0&0xF >= 8 && b0&0xF <= 10
		}, errControlLength},
	{"10.4", "a message does not exceed the limit",
		func(b0, _ byte, length int64, s situation) bool {
			limit := int64(oracleLimit)
			if s.zipped && s.inside || !s.inside && b0&0b0100_0000 != 0 {
				limit = oracleLimit*9/8 + 1024
			}
			if !s.inside {
				s.size = 0
			}
			return b0&0xF < 3 && uint64(s.size)+uint64(length) > uint64(limit)
		}, inflater.ErrMessageSize},
}

// For every pair of first bytes, each form of the length at its edges, each role and
// each state, check refuses exactly the frames that break a sentence, and gives the
// reason of a broken sentence.
func TestRulesEveryHeader(t *testing.T) {
	lengths := map[byte][]int64{ // extended lengths, by the seven bits that announce them
		126: {126, 127, 65535},
		127: {65536, oracleLimit - 60, oracleLimit - 59, oracleLimit, oracleLimit + 1, oracleLimit*9/8 + 1024,
			oracleLimit*9/8 + 1025, math.MaxInt32, math.MaxInt32 + 1, math.MaxInt64 - 1, math.MaxInt64},
	}
	checked := 0
	for _, s := range situations() {
		r := rulesIn(t, s)
		for start := range 1 << 16 {
			b0, b1 := byte(start>>8), byte(start)
			all, long := lengths[b1&0x7F]
			if !long {
				all = []int64{int64(b1 & 0x7F)}
			}
			for _, length := range all {
				checkHeader(t, s, r, b0, b1, length)
				checked++
			}
		}
	}
	t.Logf("%d headers", checked)
}

// situations returns all combinations, with sizes at the edges.
func situations() (all []situation) {
	for bits := range 8 {
		s := situation{server: bits&1 != 0, deflate: bits&2 != 0, inside: bits&4 != 0}
		if !s.inside {
			all = append(all, s)
			continue
		}
		for _, size := range []int64{0, 60, oracleLimit} {
			s.size = size
			all = append(all, s)
		}
		if s.deflate {
			s.zipped = true
			all = append(all, s)
		}
	}
	return all
}

// checkHeader compares r.check, in situation s, with the sentences for one frame.
func checkHeader(t *testing.T, s situation, r rules, b0, b1 byte, length int64) {
	err := r.check(&frame.Header{
		Fin: b0&0x80 != 0, Rsv1: b0&0x40 != 0, Rsv2: b0&0x20 != 0, Rsv3: b0&0x10 != 0,
		Opcode: frame.Opcode(b0 & 0xF), Masked: b1&0x80 != 0, Length: length,
	}, false)
	legal, given := true, false // given: err is the reason of a broken sentence
	for _, rule := range sentences {
		if rule.broken(b0, b1, length, s) {
			legal, given = false, given || rule.reason == err
		}
	}
	if legal != (err == nil) || !legal && !given {
		t.Fatalf("%02x %02x, length %d, %v: check = %v, breaks no sentence: %t", b0, b1, length, s, err, legal)
	}
	open := s.inside
	if b0&0xF < 3 {
		open = b0&0x80 == 0
	}
	if err == nil && r.open != open {
		t.Fatalf("%02x %02x, %v: a message under way = %t, want %t", b0, b1, s, r.open, open)
	}
}

// rulesIn returns rules in the given situation. It gets there as a connection does,
// with frames.
func rulesIn(t *testing.T, s situation) rules {
	t.Helper()
	r := newRules(s.server, s.deflate, oracleLimit)
	if s.inside {
		h := frame.Header{Opcode: frame.Binary, Rsv1: s.zipped, Masked: s.server, Length: s.size}
		if err := r.check(&h, false); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
