package natsadapter

import (
	"strconv"
	"strings"
)

// A place says what a client has got: the events of a namespace up to a sequence number of
// the stream, and also those that the node uid has emitted up to a number of its own. A
// node delivers its own events at once, and learns their sequence numbers afterwards: the
// second part is there while one of them is not known to be stored.
//
// As an offset it is SEQUENCE or SEQUENCE.UID.NUMBER, with numbers to base 36.
type place struct {
	sequence uint64
	uid      string // "": the sequence number says all
	number   uint64
}

// maxOffset is how long an offset may be, in bytes: 13 for each number.
const maxOffset = 13 + 1 + maxUID + 1 + 13

func (p place) append(b []byte) []byte {
	b = strconv.AppendUint(b, p.sequence, 36)
	if p.uid != "" {
		b = append(b, '.')
		b = append(b, p.uid...)
		b = append(b, '.')
		b = strconv.AppendUint(b, p.number, 36)
	}
	return b
}

// String returns the offset, "" for the zero place.
func (p place) String() string {
	if p.sequence == 0 {
		return ""
	}
	var b [maxOffset]byte
	return string(p.append(b[:0]))
}

// parsePlace reads an offset, which any client may have made up.
func parsePlace(offset string) (p place, ok bool) {
	if len(offset) > maxOffset {
		return p, false
	}
	sequence, own, more := strings.Cut(offset, ".")
	if p.sequence, ok = parseNumber(sequence); !ok || !more {
		return p, ok
	}
	uid, number, _ := strings.Cut(own, ".")
	p.number, ok = parseNumber(number)
	p.uid = uid
	return p, ok && isUID(uid)
}

// parseNumber reads a number above 0 as append writes it.
func parseNumber(s string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(s, 36, 64)
	if err != nil || n == 0 {
		return 0, false
	}
	var b [13]byte
	return n, string(strconv.AppendUint(b[:0], n, 36)) == s
}
