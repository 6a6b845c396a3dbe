package message

import (
	"github.com/parleyws/parley/conn/internal/text"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// Most of what a server gets is short: a message of a few bytes in one masked frame,
// all of it there, and nothing under way. Then it is enough to look at two bytes. The
// parser keeps neither a header nor a place for such a frame, and counts nothing, which
// takes a third off the time of a message of 16 bytes. Every other frame goes the long way
// through frame.Header.Parse, rules.check and inPlace, and so does every frame where the
// limit is so low that a short message may exceed it. The result is the same.

const (
	shortText   = 1<<7 | byte(frame.Text)   // first byte: Fin and the opcode alone
	shortBinary = 1<<7 | byte(frame.Binary) // the same
	shortMasked = 1 << 7                    // second byte, without the length

	shortHeader = 6   // two bytes and the masking key
	shortLength = 125 // the longest length that fits the second byte
)

// isShort returns the length of the frame at the front of b if short can take it, and
// 0 otherwise.
func (p *Parser) isShort(b []byte) int {
	if len(b) < shortHeader || b[0] != shortText && b[0] != shortBinary {
		return 0
	}
	length := int(b[1] ^ shortMasked)
	if length > shortLength || len(b) < shortHeader+length || !p.rules.masked || p.rules.limit < shortLength ||
		p.place != between || p.rules.open || p.mode != Whole {
		return 0
	}
	return shortHeader + length
}

// short is Next for b, which is one frame of which isShort is true.
func (p *Parser) short(b []byte) (n int, e Event, err error) {
	payload := b[shortHeader:]
	mask.Bytes(payload, [4]byte(b[2:]), 0)
	if b[0] == shortBinary {
		return len(b), Event{payload, Message, frame.Binary, true}, nil
	}
	var t text.Checker
	if !t.Write(payload) || !t.Done() {
		return 0, Event{}, errText
	}
	return len(b), Event{payload, Message, frame.Text, true}, nil
}
