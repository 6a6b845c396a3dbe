package msgpack

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/parleyws/parley/parser"
	"github.com/tinylib/msgp/msgp"
)

// AppendValue appends the MessagePack of a JSON value to b and returns the extended
// buffer. Where placeholders, which are in their order in data, name a part of data, the
// attachment of that number is written as bin. Everything else is written as Encode
// writes the data of a packet. It allocates only to extend b.
//
// data must be legal JSON, as that of a socketio.Encoded is: AppendValue panics or
// writes nonsense otherwise.
func AppendValue(b, data []byte, attachments [][]byte, placeholders []parser.Placeholder) []byte {
	w := writer{out: b, json: data, binary: attachments, placeholders: placeholders}
	w.value()
	return w.out
}

// A Reader reads a message of MessagePack one value after the other: messages that hold
// Socket.IO values, and more, such as those of other nodes. It trusts no length that
// stands in the message, and allocates nothing of its own.
//
// The methods that return ok read the next value if it is of their kind. If it is not,
// or is not there in full, ok is false and the value is still the next one. A Reader is
// a value: a copy of it stays where it is.
//
// A Reader may be used by one goroutine at a time.
type Reader struct{ r reader }

// NewReader returns a Reader of message, which must not be modified while the Reader or
// what it has returned is used.
func NewReader(message []byte) Reader { return Reader{reader{b: message, views: true}} }

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.r.b) }

// Nil reads nil, or what the JavaScript encoder writes for undefined.
func (r *Reader) Nil() bool { return r.r.nothing() }

// Bool reads a boolean.
func (r *Reader) Bool() (v, ok bool) {
	if msgp.NextType(r.r.b) != msgp.BoolType {
		return false, false
	}
	v = r.r.b[0] == 0xc3
	r.r.b = r.r.b[1:]
	return v, true
}

// String reads a string. It is a view of the message, and need not be UTF-8.
func (r *Reader) String() (s []byte, ok bool) {
	if msgp.NextType(r.r.b) != msgp.StrType {
		return nil, false
	}
	s, err := r.r.str()
	return s, err == nil
}

// Number reads an integer or a float, which may be an infinity or NaN. Integers beyond
// 53 bits are rounded, as in JavaScript.
func (r *Reader) Number() (v float64, ok bool) {
	switch msgp.NextType(r.r.b) {
	case msgp.IntType:
		n, rest, err := msgp.ReadInt64Bytes(r.r.b)
		if err != nil {
			return 0, false
		}
		r.r.b = rest
		return float64(n), true
	case msgp.UintType:
		n, ok := r.r.integer()
		return float64(n), ok
	case msgp.Float32Type, msgp.Float64Type:
		f, rest, err := msgp.ReadFloat64Bytes(r.r.b)
		if err != nil {
			return 0, false
		}
		r.r.b = rest
		return f, true
	}
	return 0, false
}

// Array reads the head of an array: n values follow.
func (r *Reader) Array() (n int, ok bool) {
	if msgp.NextType(r.r.b) != msgp.ArrayType {
		return 0, false
	}
	size, rest, err := msgp.ReadArrayHeaderBytes(r.r.b)
	if err != nil || uint64(size) > uint64(len(rest)) {
		return 0, false
	}
	r.r.b = rest
	return int(size), true
}

// Map reads the head of a map: n times a key and a value follow.
func (r *Reader) Map() (n int, ok bool) {
	if msgp.NextType(r.r.b) != msgp.MapType {
		return 0, false
	}
	size, rest, err := msgp.ReadMapHeaderBytes(r.r.b)
	if err != nil || 2*uint64(size) > uint64(len(rest)) {
		return 0, false
	}
	r.r.b = rest
	return int(size), true
}

// Skip reads a value of any kind and depth, which costs less than Value. It returns an
// error of type *parser.Error if the value is not there in full.
func (r *Reader) Skip() error {
	b := r.r.b
	for left := uint64(1); left > 0; left-- {
		size, values, ok := measure(b)
		if !ok {
			return errMsgpack
		}
		left += values
		b = b[size:]
		if left-1 > uint64(len(b)) {
			return errMsgpack
		}
	}
	r.r.b = b
	return nil
}

// Value reads a value of any kind. It appends the JSON of the value to p.Data, with the
// same meanings as Parse, the binary data to p.Binary as views of the message, and what
// stands for it to p.Placeholders, where it is counted from the beginning of p.Data. An
// array or map that is the value has the depth 1; l bounds the depth and the number
// of p.Binary, not the arguments. Errors are of type *parser.Error; p then holds a part.
func (r *Reader) Value(p *parser.Packet, l parser.Limits) error {
	r.r.p, r.r.limits = p, l
	err := r.r.value(1)
	r.r.p = nil
	return err
}

// AppendNumber appends a number as JavaScript writes it in JSON, with null for what
// JSON can't have.
func AppendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

// measure returns how many bytes the next value takes, without the values in it, and
// how many these are.
func measure(b []byte) (size int, values uint64, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	var n uint64 // bytes, without the first
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0: // fixint
	case c < 0x90: // fixmap
		values = 2 * uint64(c&0x0f)
	case c < 0xa0: // fixarray
		values = uint64(c & 0x0f)
	case c < 0xc0: // fixstr
		n = uint64(c & 0x1f)
	default:
		f := &formats[c-0xc0]
		if f.never || len(b) < 1+int(f.length) {
			return 0, 0, false
		}
		n = uint64(f.fixed)
		if f.length > 0 {
			length := lengthOf(b[1 : 1+f.length])
			n += uint64(f.length) + length*uint64(f.bytes)
			values = length * uint64(f.values)
		}
	}
	if n >= uint64(len(b)) {
		return 0, 0, false
	}
	return 1 + int(n), values, true
}

func lengthOf(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	}
	return uint64(binary.BigEndian.Uint32(b))
}

// A format is the size of a value: after the first byte there is a length of so many
// bytes, then fixed bytes, and for each one of the length bytes or values more.
type format struct {
	length, fixed, bytes, values uint8
	never                        bool
}

// formats are those of the first bytes from 0xc0 to 0xdf (MessagePack specification,
// "Overview").
var formats = [32]format{
	{}, {never: true}, {}, {}, // nil, unused, false, true
	{length: 1, bytes: 1}, {length: 2, bytes: 1}, {length: 4, bytes: 1}, // bin
	{length: 1, fixed: 1, bytes: 1}, {length: 2, fixed: 1, bytes: 1}, {length: 4, fixed: 1, bytes: 1}, // ext
	{fixed: 4}, {fixed: 8}, // float
	{fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // uint
	{fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // int
	{fixed: 2}, {fixed: 3}, {fixed: 5}, {fixed: 9}, {fixed: 17}, // fixext
	{length: 1, bytes: 1}, {length: 2, bytes: 1}, {length: 4, bytes: 1}, // str
	{length: 2, values: 1}, {length: 4, values: 1}, // array
	{length: 2, values: 2}, {length: 4, values: 2}, // map
}
