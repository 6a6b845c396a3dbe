package handshake

import (
	"bytes"
	"errors"
)

// errExtension is the error for a Sec-WebSocket-Extensions field that breaks the
// grammar of RFC 6455, section 9.1.
var errExtension = errors.New("not a list of extensions")

// An extensionScanner reads the value of one Sec-WebSocket-Extensions field (RFC
// 6455, section 9.1):
//
//	extension-list  = 1#extension
//	extension       = extension-token *( ";" extension-param )
//	extension-param = token [ "=" ( token | quoted-string ) ]
//
// It looks at each byte once. There may be white space between any two parts, and
// list elements may be empty (RFC 9110, section 5.6.1).
type extensionScanner struct {
	in      []byte // what is left
	unquote []byte // room for a quoted string with escapes
}

// skip removes white space, and then c if that comes next. It reports whether it
// did.
func (s *extensionScanner) skip(c byte) bool {
	s.space()
	if len(s.in) == 0 || s.in[0] != c {
		return false
	}
	s.in = s.in[1:]
	return true
}

// space removes white space.
func (s *extensionScanner) space() {
	for len(s.in) > 0 && isOWS(s.in[0]) {
		s.in = s.in[1:]
	}
}

// token removes and returns a token, which is empty if none comes next.
func (s *extensionScanner) token() []byte {
	s.space()
	n := 0
	for n < len(s.in) && isTokenChar(s.in[n]) {
		n++
	}
	t := s.in[:n]
	s.in = s.in[n:]
	return t
}

// next returns the name of the next extension, nil at the end of the list. The
// caller must have read all parameters of the extension before it.
func (s *extensionScanner) next() (name []byte, err error) {
	for s.skip(',') {
	}
	if len(s.in) == 0 {
		return nil, nil
	}
	if name = s.token(); len(name) == 0 {
		return nil, errExtension
	}
	return name, nil
}

// A param is one parameter of an extension.
type param struct {
	name     []byte // empty: there are no more
	value    []byte // unquoted; valid until the next call
	hasValue bool
}

// param returns the next parameter of the extension.
func (s *extensionScanner) param() (p param, err error) {
	if !s.skip(';') {
		if s.space(); len(s.in) > 0 && s.in[0] != ',' {
			return param{}, errExtension
		}
		return param{}, nil
	}
	if p.name = s.token(); len(p.name) == 0 {
		return param{}, errExtension
	}
	if !s.skip('=') {
		return p, nil
	}
	p.hasValue = true
	if s.skip('"') {
		p.value = s.quoted()
	} else {
		p.value = s.token()
	}
	if len(p.value) == 0 {
		return param{}, errExtension
	}
	return p, nil
}

// quoted removes the rest of a quoted-string and returns its value. The value must
// be a token (RFC 6455, section 9.1), so it has no quotation mark and no backslash,
// escaped or not. quoted returns nil if it is not one.
func (s *extensionScanner) quoted() []byte {
	end := bytes.IndexByte(s.in, '"')
	if end < 0 {
		return nil
	}
	v := s.in[:end]
	s.in = s.in[end+1:]
	if bytes.IndexByte(v, '\\') >= 0 {
		s.unquote = s.unquote[:0]
		for i := 0; i < len(v); i++ {
			if v[i] == '\\' && i+1 < len(v) {
				i++
			}
			s.unquote = append(s.unquote, v[i])
		}
		v = s.unquote
	}
	if !isToken(v) {
		return nil
	}
	return v
}
