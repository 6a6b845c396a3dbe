package nodewire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
)

// A scanner finds the parts of a JSON value. What is inside a part that it skips is not
// judged but for its strings and brackets: whoever takes the part judges it.
type scanner struct {
	b []byte
	i int // index of the next byte
}

// next returns the next byte that is not space, 0 at the end.
func (s *scanner) next() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing is left.
func (s *scanner) end() error {
	if s.next() != 0 || s.i < len(s.b) {
		return errJSON
	}
	return nil
}

// object reads an object. member is called for each member, with its name, and reads the
// value. The last of several members of the same name counts, as in JavaScript.
func (s *scanner) object(member func(name []byte) error) error {
	if s.next() != '{' {
		return errField
	}
	s.i++
	if s.next() == '}' {
		s.i++
		return nil
	}
	for {
		if s.next() != '"' {
			return errJSON
		}
		name, err := s.str()
		if err != nil {
			return err
		}
		if s.next() != ':' {
			return errJSON
		}
		s.i++
		if err := member(name); err != nil {
			return err
		}
		if more, err := s.more('}'); !more {
			return err
		}
	}
}

// array reads an array, whose elements element reads.
func (s *scanner) array(element func() error) error {
	if s.next() != '[' {
		return errField
	}
	s.i++
	if s.next() == ']' {
		s.i++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if more, err := s.more(']'); !more {
			return err
		}
	}
}

// more reads what follows a part: a comma, or the bracket that ends the value.
func (s *scanner) more(bracket byte) (bool, error) {
	c := s.next()
	s.i++
	switch c {
	case ',':
		return true, nil
	case bracket:
		return false, nil
	}
	return false, errJSON
}

// skip reads any value and returns its text.
func (s *scanner) skip() ([]byte, error) {
	first := s.next()
	start := s.i
	switch first {
	case '"':
		if err := s.quoted(); err != nil {
			return nil, err
		}
	case '[', '{':
		if err := s.brackets(); err != nil {
			return nil, err
		}
	default:
		for s.i < len(s.b) && literal(s.b[s.i]) {
			s.i++
		}
		if s.i == start {
			return nil, errJSON
		}
	}
	return s.b[start:s.i], nil
}

// literal reports whether c may be part of a number or a word.
func literal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// brackets reads an array or object up to its own bracket.
func (s *scanner) brackets() error {
	depth := 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if err := s.quoted(); err != nil {
				return err
			}
			continue
		case '[', '{':
			if depth++; depth > maxDepth {
				return parser.ErrDepth
			}
		case ']', '}':
			if depth--; depth == 0 {
				s.i++
				return nil
			}
		}
		s.i++
	}
	return errJSON
}

// quoted reads a string.
func (s *scanner) quoted() error {
	for i := s.i + 1; ; {
		n := bytes.IndexByte(s.b[i:], '"')
		if n < 0 {
			return errJSON
		}
		i += n
		escapes := 0
		for s.b[i-1-escapes] == '\\' { // ends at the first quotation mark
			escapes++
		}
		i++
		if escapes%2 == 0 {
			s.i = i
			return nil
		}
	}
}

// str reads a string and returns what it says: a view of b, if it has no escapes.
func (s *scanner) str() ([]byte, error) {
	if s.next() != '"' {
		return nil, errField
	}
	start := s.i
	if err := s.quoted(); err != nil {
		return nil, err
	}
	text := s.b[start+1 : s.i-1]
	plain := true
	for _, c := range text {
		if c < ' ' {
			return nil, errJSON
		}
		plain = plain && c != '\\' && c < utf8.RuneSelf
	}
	if plain || bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return text, nil
	}
	var said string
	if err := json.Unmarshal(s.b[start:s.i], &said); err != nil {
		return nil, errJSON
	}
	return []byte(said), nil
}

// null reads null, if that is the next value.
func (s *scanner) null() bool {
	if s.next() == 'n' && bytes.HasPrefix(s.b[s.i:], []byte("null")) {
		s.i += len("null")
		return true
	}
	return false
}

// number reads a number.
func (s *scanner) number() (float64, error) {
	if c := s.next(); c >= '0' && c <= '9' && s.i+1 < len(s.b) && !literal(s.b[s.i+1]) { // most are one digit
		s.i++
		return float64(c - '0'), nil
	}
	text, err := s.skip()
	if err != nil {
		return 0, err
	}
	if !json.Valid(text) || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, errField
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, errField
	}
	return f, nil
}

// boolean reads true or false.
func (s *scanner) boolean() (bool, error) {
	text, err := s.skip()
	if err != nil {
		return false, err
	}
	switch string(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errField
}
