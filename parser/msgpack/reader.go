package msgpack

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
	"github.com/tinylib/msgp/msgp"
)

// A reader writes the MessagePack of a packet as JSON. It trusts no length that the
// peer has written: it takes memory only for bytes that are there.
type reader struct {
	b      []byte // what is left of the message
	p      *parser.Packet
	limits parser.Limits
}

// take returns the next n bytes.
func (r *reader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.b) {
		return nil, errMsgpack
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken, nil
}

// whole reports whether a string or binary data with a length of 32 bits is there in
// full. msgp takes such a length for an int, which may have no more bits than that.
func (r *reader) whole() bool {
	if len(r.b) == 0 || r.b[0] != 0xdb && r.b[0] != 0xc6 {
		return true
	}
	return len(r.b) >= 5 && uint64(binary.BigEndian.Uint32(r.b[1:])) <= uint64(len(r.b)-5)
}

func (r *reader) str() ([]byte, error) {
	if !r.whole() {
		return nil, errMsgpack
	}
	s, rest, err := msgp.ReadStringZC(r.b)
	if err != nil {
		return nil, errMsgpack
	}
	r.b = rest
	return s, nil
}

func (r *reader) mapHeader() (uint32, error) {
	n, rest, err := msgp.ReadMapHeaderBytes(r.b)
	if err != nil {
		return 0, errMsgpack
	}
	r.b = rest
	return n, nil
}

// integer reads an integer that is not negative.
func (r *reader) integer() (uint64, bool) {
	if t := msgp.NextType(r.b); t != msgp.IntType && t != msgp.UintType {
		return 0, false
	}
	n, rest, err := msgp.ReadUint64Bytes(r.b)
	if err != nil {
		return 0, false
	}
	r.b = rest
	return n, true
}

// undefined reports whether the next value is what the JavaScript encoder has for
// undefined: the extension 0 with one byte.
func (r *reader) undefined() bool { return len(r.b) >= 3 && r.b[0] == 0xd4 && r.b[1] == 0 }

// nothing reads nil or undefined, if that is the next value.
func (r *reader) nothing() bool {
	switch {
	case r.undefined():
		r.b = r.b[3:]
	case msgp.NextType(r.b) == msgp.NilType:
		r.b = r.b[1:]
	default:
		return false
	}
	return true
}

// skip reads a value without a trace.
func (r *reader) skip(depth int) error {
	p := r.p
	data, placeholders, binary := len(p.Data), len(p.Placeholders), len(p.Binary)
	err := r.value(depth)
	p.Data, p.Placeholders = p.Data[:data], p.Placeholders[:placeholders]
	clear(p.Binary[binary:])
	p.Binary = p.Binary[:binary]
	return err
}

// value writes the next value. If it is an array or map, depth is its depth.
func (r *reader) value(depth int) (err error) {
	p := r.p
	switch msgp.NextType(r.b) {
	case msgp.StrType:
		var s []byte
		if s, err = r.str(); err == nil {
			p.Data = appendString(p.Data, s)
		}
		return err
	case msgp.MapType:
		return r.object(depth)
	case msgp.ArrayType:
		return r.array(depth, func() error { return r.value(depth + 1) })
	case msgp.NilType:
		r.b = r.b[1:]
		p.Data = append(p.Data, "null"...)
		return nil
	case msgp.BoolType:
		p.Data = strconv.AppendBool(p.Data, r.b[0] == 0xc3)
		r.b = r.b[1:]
		return nil
	case msgp.IntType, msgp.UintType:
		return r.number()
	case msgp.Float32Type, msgp.Float64Type:
		return r.float()
	case msgp.BinType:
		if !r.whole() {
			return errMsgpack
		}
		data, rest, err := msgp.ReadBytesZC(r.b)
		if err != nil {
			return errMsgpack
		}
		r.b = rest
		return r.binary(data)
	case msgp.InvalidType:
		return errMsgpack
	}
	return r.extension()
}

// number writes an integer. One that is positive may have the type of those that can
// be negative.
func (r *reader) number() error {
	if n, ok := r.integer(); ok {
		r.p.Data = strconv.AppendUint(r.p.Data, n, 10)
		return nil
	}
	n, rest, err := msgp.ReadInt64Bytes(r.b)
	if err != nil {
		return errMsgpack
	}
	r.b = rest
	r.p.Data = strconv.AppendInt(r.p.Data, n, 10)
	return nil
}

// float writes a number as encoding/json does, and null if JSON can't have it.
func (r *reader) float() error {
	f, rest, err := msgp.ReadFloat64Bytes(r.b)
	if err != nil {
		return errMsgpack
	}
	r.b = rest
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.p.Data = append(r.p.Data, "null"...)
		return nil
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	r.p.Data = strconv.AppendFloat(r.p.Data, f, format, -1, 64)
	return nil
}

// binary writes a placeholder for data.
func (r *reader) binary(data []byte) error {
	p := r.p
	if len(p.Binary) >= r.limits.Attachments {
		return parser.ErrAttachments
	}
	start := len(p.Data)
	p.Data = parser.AppendPlaceholder(p.Data, len(p.Binary))
	span := parser.Span{Start: start, End: len(p.Data)}
	p.Placeholders = append(p.Placeholders, parser.Placeholder{Span: span, Num: len(p.Binary)})
	p.Binary = append(p.Binary, append([]byte{}, data...))
	return nil
}

// array writes an array, whose elements element writes.
func (r *reader) array(depth int, element func() error) error {
	if depth > r.limits.Depth {
		return parser.ErrDepth
	}
	n, rest, err := msgp.ReadArrayHeaderBytes(r.b)
	if err != nil {
		return errMsgpack
	}
	r.b = rest
	p := r.p
	p.Data = append(p.Data, '[')
	for i := range n {
		if i > 0 {
			p.Data = append(p.Data, ',')
		}
		if err := element(); err != nil {
			return err
		}
	}
	p.Data = append(p.Data, ']')
	return nil
}

// object writes a map. Like JSON.stringify it leaves out what is undefined.
func (r *reader) object(depth int) error {
	if depth > r.limits.Depth {
		return parser.ErrDepth
	}
	n, err := r.mapHeader()
	if err != nil {
		return err
	}
	p := r.p
	p.Data = append(p.Data, '{')
	first := true
	for range n {
		before := len(p.Data)
		if !first {
			p.Data = append(p.Data, ',')
		}
		if err := r.key(); err != nil {
			return err
		}
		if r.undefined() {
			r.b = r.b[3:]
			p.Data = p.Data[:before]
			continue
		}
		first = false
		p.Data = append(p.Data, ':')
		if err := r.value(depth + 1); err != nil {
			return err
		}
	}
	p.Data = append(p.Data, '}')
	return nil
}

// key writes the key of a map. JSON has only strings.
func (r *reader) key() error {
	p := r.p
	switch msgp.NextType(r.b) {
	case msgp.StrType:
		s, err := r.str()
		p.Data = appendString(p.Data, s)
		return err
	case msgp.IntType, msgp.UintType:
		p.Data = append(p.Data, '"')
		err := r.number()
		p.Data = append(p.Data, '"')
		return err
	}
	return errKey
}

// appendString writes s as JSON. What is not UTF-8 becomes U+FFFD, as in JavaScript.
func appendString(b, s []byte) []byte {
	if plain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	text, _ := json.Marshal(string(s)) // can't fail
	return append(b, text...)
}

// plain reports whether s is its own text in JSON, between quotes.
func plain(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.Valid(s)
}
