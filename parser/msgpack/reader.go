package msgpack

import (
	"encoding/binary"
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
	views  bool // binary data is a view of the message, not a copy
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

// integer reads an integer that is not negative. It may have the type of those that can
// be.
func (r *reader) integer() (uint64, bool) {
	switch msgp.NextType(r.b) {
	case msgp.UintType:
		n, rest, err := msgp.ReadUint64Bytes(r.b)
		if err != nil {
			return 0, false
		}
		r.b = rest
		return n, true
	case msgp.IntType:
		n, rest, err := msgp.ReadInt64Bytes(r.b)
		if err != nil || n < 0 {
			return 0, false
		}
		r.b = rest
		return uint64(n), true
	}
	return 0, false
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
		return r.array(depth, false)
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

// number writes an integer.
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
	r.p.Data = AppendNumber(r.p.Data, f)
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
	if !r.views {
		data = append([]byte{}, data...)
	}
	p.Binary = append(p.Binary, data)
	return nil
}

// array writes an array. If it is that of the arguments, p.Args says where they are.
func (r *reader) array(depth int, arguments bool) error {
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
		start := len(p.Data)
		if arguments && len(p.Args) > r.limits.Arguments {
			return parser.ErrArguments
		}
		if err := r.value(depth + 1); err != nil {
			return err
		}
		if arguments {
			p.Args = append(p.Args, parser.Span{Start: start, End: len(p.Data)})
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
	b = append(b, '"')
	plain := 0 // s[plain:i] is its own text
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[plain:i]...), "\ufffd"...)
				plain = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = appendEscape(append(b, s[plain:i]...), c)
			plain = i + 1
		}
		i++
	}
	return append(append(b, s[plain:]...), '"')
}

// appendEscape writes a character that can't stand for itself.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}
