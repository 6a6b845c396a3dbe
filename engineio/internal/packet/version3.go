package packet

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// Version 3 of the protocol, which the clients of Socket.IO 2 speak (Engine.IO
// protocol v3, "Encoding"). Its packets are those of version 4, except that a
// binary message has its type too: as a byte before binary data, as a digit after
// the b of base64 text. Its payloads tell the length of each packet.

// The errors of version 3 alone.
var (
	ErrLength error = &Error{"length of a packet is not that of its bytes"}
	ErrKind   error = &Error{"packet of a binary payload is neither text nor binary"}
	ErrUTF8   error = &Error{"text packet is not UTF-8"}
)

// parse3 is Parse of version 3.
func parse3(b []byte) (Packet, error) {
	if len(b) == 0 || b[0] != binaryMark {
		return Parse(b)
	}
	if len(b) < 2 || b[1] != '0'+byte(Message) {
		return Packet{}, ErrType
	}
	data, ok := decodeBase64(b[2:])
	if !ok {
		return Packet{}, ErrBase64
	}
	return Packet{Type: Message, Binary: true, Data: data}, nil
}

// parseTyped reads a packet that is binary: its type, as a byte, and its data.
func parseTyped(b []byte) (Packet, error) {
	switch {
	case len(b) == 0:
		return Packet{}, ErrEmpty
	case b[0] != byte(Message):
		return Packet{}, ErrType
	}
	return Packet{Type: Message, Binary: true, Data: b[1:]}, nil
}

// parseFrame3 is Codec.Parse of version 3.
func parseFrame3(b []byte, binary bool) (Packet, error) {
	if binary {
		return parseTyped(b)
	}
	return parse3(b)
}

// typedFrame is Codec.Frame for clients that can receive binary data.
func typedFrame(data []byte) (b []byte, binary bool) {
	b = append(make([]byte, 0, 1+len(data)), byte(Message))
	return append(b, data...), true
}

// base64Frame is Codec.Frame for clients that can't.
func base64Frame(data []byte) (b []byte, binary bool) {
	b = make([]byte, 0, 2+base64.StdEncoding.EncodedLen(len(data)))
	return appendBase64(b, data), false
}

// appendBase64 appends a binary message in its text form.
func appendBase64(b, data []byte) []byte {
	b = append(b, binaryMark, '0'+byte(Message))
	return base64.StdEncoding.AppendEncode(b, data)
}

// counted is the form of a body that is text: each packet follows its length and a
// colon. JavaScript counts characters, those beyond the first 65,536 twice, which
// are the code units of UTF-16.
var counted = Form{ContentType: textType, Text: true, next: cutCounted, append: appendCounted}

func cutCounted(body []byte) (p Packet, rest []byte, err error) {
	units, rest, ok := cutLength(body, '0', ':')
	if !ok {
		return Packet{}, nil, ErrLength
	}
	n, ok := skipUnits(rest, units)
	if !ok {
		return Packet{}, nil, ErrLength
	}
	if n == 0 { // what JavaScript writes for a payload without packets
		return Packet{Type: Noop}, orNil(rest), nil
	}
	p, err = parse3(rest[:n])
	return p, orNil(rest[n:]), err
}

// orNil returns b, or nil if b is empty.
func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// cutLength reads a number whose digits are bytes from zero on, and end after it.
// The number is at most the length of what follows, so that it can't be used to
// make somebody reserve memory or to overflow.
func cutLength(b []byte, zero, end byte) (n int, rest []byte, ok bool) {
	for i, c := range b {
		digit := int(c) - int(zero)
		switch {
		case c == end:
			return n, b[i+1:], i > 0 && n <= len(b)-i-1
		case digit < 0 || digit > 9 || i > 0 && n == 0: // no other number begins with 0
			return 0, nil, false
		case n > len(b)/10:
			return 0, nil, false
		}
		n = 10*n + digit
	}
	return 0, nil, false
}

// skipUnits returns the length in bytes of the first units code units of UTF-16
// that b stands for, which is UTF-8. It fails if b is shorter, or if it would have
// to split a character.
func skipUnits(b []byte, units int) (n int, ok bool) {
	for n < len(b) && (units > 0 || unitsOf(b[n]) == 0) {
		units -= unitsOf(b[n])
		n++
	}
	return n, units == 0
}

// countUnits returns how many code units of UTF-16 a text in UTF-8 takes.
func countUnits(text []byte) (units int) {
	for _, c := range text {
		units += unitsOf(c)
	}
	return units
}

// unitsOf returns how many code units of UTF-16 the character takes that begins
// with the byte c of UTF-8: 0 if none begins there, since c continues one.
func unitsOf(c byte) int {
	switch {
	case c < 0x80:
		return 1
	case c < 0xC0:
		return 0
	case c < 0xF0:
		return 1
	}
	return 2
}

func appendCounted(b []byte, p Packet) []byte {
	if p.Binary {
		b = strconv.AppendInt(b, int64(2+base64.StdEncoding.EncodedLen(len(p.Data))), 10)
		return appendBase64(append(b, ':'), p.Data)
	}
	b = strconv.AppendInt(b, int64(1+countUnits(p.Data)), 10)
	return p.Append(append(b, ':'))
}

// countedBinary is the form of a body that is binary: each packet follows a byte
// that says what it is, its length in bytes, of which each digit is a byte of 0 to
// 9, and a byte of 255.
var countedBinary = Form{ContentType: "application/octet-stream", next: cutBinary, append: appendBinary}

// What a packet of countedBinary is.
const (
	isText      = 0
	isBinary    = 1
	endOfLength = 255
)

func cutBinary(body []byte) (p Packet, rest []byte, err error) {
	if len(body) == 0 || body[0] > isBinary {
		return Packet{}, nil, ErrKind
	}
	n, rest, ok := cutLength(body[1:], 0, endOfLength)
	if !ok {
		return Packet{}, nil, ErrLength
	}
	packet, parse := rest[:n:n], parseTyped
	if body[0] == isText {
		if !utf8.Valid(packet) {
			return Packet{}, nil, ErrUTF8
		}
		parse = parse3
	}
	p, err = parse(packet)
	return p, orNil(rest[n:]), err
}

func appendBinary(b []byte, p Packet) []byte {
	if p.Binary {
		b = appendHead(b, isBinary, 1+len(p.Data))
		return append(append(b, byte(Message)), p.Data...)
	}
	return p.Append(appendHead(b, isText, 1+len(p.Data)))
}

// appendHead appends what precedes a packet of countedBinary of n bytes.
func appendHead(b []byte, what byte, n int) []byte {
	b = append(b, what)
	first := len(b)
	b = strconv.AppendInt(b, int64(n), 10)
	for i := range b[first:] {
		b[first+i] -= '0'
	}
	return append(b, endOfLength)
}
