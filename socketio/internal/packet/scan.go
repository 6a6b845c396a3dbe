package packet

import (
	"bytes"
	"math"
	"slices"

	"github.com/parleyws/parley/parser"
)

// A scanner checks JSON (RFC 8259) and notes where placeholders are. It builds
// nothing: values are decoded when a handler asks for them.
type scanner struct {
	b            []byte
	i            int // index of the next byte
	depth        int // the greatest depth
	attachments  int // of the packet; 0: an object like a placeholder is data
	placeholders []parser.Placeholder
}

// Misleads reports whether JSON that goes with attachments has other objects that a reader
// takes for placeholders than those in the list.
func Misleads(data []byte, attachments int, placeholders []parser.Placeholder) bool {
	if bytes.Count(data, []byte("_placeholder")) == len(placeholders) && !bytes.Contains(data, []byte(`\u`)) {
		return false // the usual case; a name may be written with escapes
	}
	s := scanner{b: data, depth: math.MaxInt, attachments: attachments}
	return s.value(1) != nil || !slices.Equal(s.placeholders, placeholders)
}

// DeeperThan reports whether arrays and objects are nested deeper than most. The data is JSON.
func DeeperThan(data []byte, most int) bool {
	if bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) <= most {
		return false // the usual case
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
			if c == '\\' {
				i++
			}
		case c == '[' || c == '{':
			if depth++; depth > most {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

func isSpace(c byte) bool { return c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r') }

// end checks that nothing but space is left.
func (s *scanner) end() error {
	s.space()
	if s.i < len(s.b) {
		return errJSON
	}
	return nil
}

// next reads what follows a value in an array or object: a comma, or the bracket
// that ends it.
func (s *scanner) next(bracket byte) (more bool, err error) {
	s.space()
	c := s.peek()
	s.i++
	switch c {
	case ',':
		s.space()
		return true, nil
	case bracket:
		return false, nil
	}
	return false, errJSON
}

// value reads one value, which begins at the next byte. If it is an array or
// object, depth is its depth.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); c {
	case '"':
		return s.str()
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return errJSON
	}
	s.i += len(word)
	return nil
}

func (s *scanner) array(depth int) error {
	if depth > s.depth {
		return parser.ErrDepth
	}
	s.i++
	s.space()
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if more, err := s.next(']'); !more {
			return err
		}
	}
}

// object reads an object and notes it if it is a placeholder: one whose member
// _placeholder is true, whatever other members it has. Of several members with
// the same name the last counts, as in JavaScript.
func (s *scanner) object(depth int) error {
	if depth > s.depth {
		return parser.ErrDepth
	}
	start, before := s.i, len(s.placeholders)
	s.i++
	s.space()
	if s.peek() == '}' {
		s.i++
		return nil
	}
	marked, num := false, -1
	for {
		key, val, err := s.member(depth)
		if err != nil {
			return err
		}
		if s.attachments > 0 {
			switch string(unquote(key)) {
			case "_placeholder":
				marked = string(val) == "true"
			case "num":
				num = s.index(val)
			}
		}
		more, err := s.next('}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if !marked {
		return nil
	}
	if num < 0 {
		return errPlaceholder
	}
	// Placeholders nested in this one are replaced along with it.
	s.placeholders = append(s.placeholders[:before], parser.Placeholder{Span: parser.Span{Start: start, End: s.i}, Num: num})
	return nil
}

// member reads the name and the value of one member of an object.
func (s *scanner) member(depth int) (key, val []byte, err error) {
	start := s.i
	if s.peek() != '"' {
		return nil, nil, errJSON
	}
	if err := s.str(); err != nil {
		return nil, nil, err
	}
	key = s.b[start:s.i]
	s.space()
	if s.peek() != ':' {
		return nil, nil, errJSON
	}
	s.i++
	s.space()
	start = s.i
	if err := s.value(depth + 1); err != nil {
		return nil, nil, err
	}
	return key, s.b[start:s.i], nil
}

// index returns the number of an attachment, -1 if val can't be one.
func (s *scanner) index(val []byte) int {
	n, rest, ok := digits(val, uint64(s.attachments-1))
	if !ok || len(rest) > 0 {
		return -1
	}
	return int(n)
}

// str reads a string. That it is UTF-8 was checked when its message arrived.
func (s *scanner) str() error {
	b := s.b
	for i := s.i + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return nil
		case c == '\\':
			i++
			if i == len(b) {
				return errJSON
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if len(b)-i <= 4 || !isHex(b[i+1:i+5]) {
					return errJSON
				}
				i += 4
			default:
				return errJSON
			}
		case c < ' ':
			return errJSON
		}
	}
	return errJSON
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return errJSON
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return errJSON
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return errJSON
		}
	}
	return nil
}

// digits reads digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.i
	for isDigit(s.peek()) {
		s.i++
	}
	return s.i > start
}
