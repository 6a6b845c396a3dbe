package msgpack

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
	"github.com/tinylib/msgp/msgp"
)

// Encode implements parser.Parser. There are no attachments: the binary data is in
// the message.
func (Parser) Encode(p *parser.Packet) (message []byte, attachments [][]byte) {
	fields := uint32(2)
	if len(p.Data) > 0 {
		fields++
	}
	if p.HasID {
		fields++
	}
	w := writer{out: p.Scratch[:0], json: p.Data, binary: p.Binary, placeholders: p.Placeholders}
	w.out = msgp.AppendMapHeader(w.out, fields)
	w.out = msgp.AppendString(w.out, "type")
	w.out = msgp.AppendUint64(w.out, uint64(p.Type))
	w.out = msgp.AppendString(w.out, "nsp")
	w.out = msgp.AppendStringFromBytes(w.out, p.Namespace)
	if p.HasID {
		w.out = msgp.AppendString(w.out, "id")
		w.out = msgp.AppendUint64(w.out, p.ID)
	}
	if len(p.Data) > 0 {
		w.out = msgp.AppendString(w.out, "data")
		w.value()
	}
	p.Scratch = w.out
	return w.out, nil
}

// A writer writes JSON as MessagePack. The JSON is legal: encoding/json has made or
// checked it.
type writer struct {
	out          []byte
	json         []byte
	i            int // index of the next byte of json
	binary       [][]byte
	placeholders []parser.Placeholder // those that begin at i or later
}

// next returns the next byte that begins a value or ends a container.
func (w *writer) next() byte {
	for {
		switch c := w.json[w.i]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			w.i++
		default:
			return c
		}
	}
}

// value writes the next value.
func (w *writer) value() {
	c := w.next()
	if len(w.placeholders) > 0 && w.placeholders[0].Start == w.i {
		w.out = msgp.AppendBytes(w.out, w.binary[w.placeholders[0].Num])
		w.i = w.placeholders[0].End
		w.placeholders = w.placeholders[1:]
		return
	}
	switch c {
	case '"':
		w.str()
	case '[':
		w.container(']', 1)
	case '{':
		w.container('}', 2)
	case 't':
		w.i += len("true")
		w.out = msgp.AppendBool(w.out, true)
	case 'f':
		w.i += len("false")
		w.out = msgp.AppendBool(w.out, false)
	case 'n':
		w.i += len("null")
		w.out = msgp.AppendNil(w.out)
	default:
		w.number()
	}
}

// container writes an array or object up to its bracket. Each element is so many
// values. The header comes before the elements, but depends on their number: there
// is room for a short one, and a longer one moves the elements.
func (w *writer) container(bracket byte, values int) {
	w.i++
	start := len(w.out)
	w.out = append(w.out, 0)
	n := 0
	for ; w.next() != bracket; n++ {
		w.value()
	}
	w.i++
	n /= values
	more := 0 // bytes of the header, beside the first
	switch {
	case n >= 1<<16:
		more = 4
	case n >= 16:
		more = 2
	}
	w.move(start+1, more)
	if bracket == ']' {
		msgp.AppendArrayHeader(w.out[:start], uint32(n)) // there is room in w.out
	} else {
		msgp.AppendMapHeader(w.out[:start], uint32(n))
	}
}

// move makes room for so many bytes more at start.
func (w *writer) move(start, more int) {
	if more > 0 {
		end := len(w.out)
		w.out = append(w.out, make([]byte, more)...)
		copy(w.out[start+more:], w.out[start:end])
	}
}

func (w *writer) str() {
	end := w.i + 1
	escaped := false
	for w.json[end] != '"' {
		if w.json[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	end++
	text := w.json[w.i:end]
	w.i = end
	if !escaped {
		w.out = msgp.AppendStringFromBytes(w.out, text[1:len(text)-1])
		return
	}
	start := len(w.out)
	w.out = append(w.out, 0)
	w.out = appendUnescaped(w.out, text[1:len(text)-1])
	size := len(w.out) - start - 1
	more := 0
	switch {
	case size >= 1<<16:
		more = 4
	case size >= 1<<8:
		more = 2
	case size >= 32:
		more = 1
	}
	w.move(start+1, more)
	msgp.AppendStringFromBytes(w.out[:start], w.out[start+1+more:]) // both are in place
}

// number writes an integer as one if it fits, like the JavaScript encoder, and
// anything else as a float64.
func (w *writer) number() {
	text := w.json[w.i:]
	if end := bytes.IndexAny(text, ",]} \t\r\n"); end >= 0 {
		text = text[:end]
	}
	w.i += len(text)
	negative := text[0] == '-'
	if integer := !bytes.ContainsAny(text, ".eE"); integer && !negative {
		if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			w.out = msgp.AppendUint64(w.out, n)
			return
		}
	} else if integer {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && n < 0 { // not -0
			w.out = msgp.AppendInt64(w.out, n)
			return
		}
	}
	f, _ := strconv.ParseFloat(string(text), 64) // an infinity if it is too large
	w.out = msgp.AppendFloat64(w.out, f)
}

// appendUnescaped appends the text of a JSON string, given without its quotes. Half of a
// surrogate pair becomes U+FFFD, as in encoding/json.
func appendUnescaped(b, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		if c != 'u' {
			b = append(b, unescape(c))
			continue
		}
		r := hexadecimal(s)
		s = s[4:]
		if utf16.IsSurrogate(r) {
			second := rune(0)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				second = hexadecimal(s[2:])
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				s = s[6:]
			}
		}
		b = utf8.AppendRune(b, r)
	}
}

// unescape returns what a backslash and c stand for.
func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hexadecimal returns the number that four digits are.
func hexadecimal(s []byte) (r rune) {
	for _, c := range s[:4] {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
