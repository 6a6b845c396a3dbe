package conn

import "io"

// finale is what follows the payload of a compressed message: the tail that
// the sender cut off (RFC 7692, section 7.2.2), and an empty stored block with
// BFINAL set, so that a decompressor that reads the message cleanly ends with
// io.EOF, and any other does not.
const finale = tail + "\x01\x00\x00\xff\xff"

// An inflateSource is the compressed message as a stream: its payload, then finale.
type inflateSource struct {
	octets []byte
	pos    int
}

func (s *inflateSource) ReadByte() (byte, error) {
	pos := s.pos
	if pos < len(s.octets) {
		s.pos++
		return s.octets[pos], nil
	}
	if pos -= len(s.octets); pos < len(finale) {
		s.pos++
		return finale[pos], nil
	}
	return 0, io.EOF
}

func (s *inflateSource) Read(p []byte) (int, error) {
	n := 0
	if s.pos < len(s.octets) {
		n = copy(p, s.octets[s.pos:])
	} else {
		n = copy(p, finale[s.pos-len(s.octets):])
	}
	s.pos += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// inflatePlace is where in a source a stream has ended.
type inflatePlace uint8

const (
	inflatePayload inflatePlace = iota // before the end of the payload: more follows
	inflateTail                        // in the finale, which the sender has never seen
	inflateEnd                         // where a message ends
)

// where tells how far the source was read. A message whose last block has
// BFINAL set and that lacks the octet 00 of the empty block behind it is let
// pass: nothing is ambiguous about it.
func (s *inflateSource) where() inflatePlace {
	switch {
	case s.pos < len(s.octets):
		return inflatePayload
	case s.pos == len(s.octets), s.pos == len(s.octets)+len(finale):
		return inflateEnd
	default:
		return inflateTail
	}
}
