package socketio

import (
	"bytes"
	"crypto/rand"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"sync"
)

// encoding/json writes and reads a []byte as a string of base64. Binary data
// travels beside the JSON instead, so a token takes its place while encoding/json
// works: a random prefix, which nobody can foresee, and a number. The length of a
// token is a multiple of three bytes, so that its base64 has no padding.
const (
	tokenPrefix = 15 // bytes, 20 characters of base64
	tokenLen    = tokenPrefix + 3
	tokenText   = tokenLen / 3 * 4
	prefixText  = tokenPrefix / 3 * 4
)

// A swapper holds the binary values of one argument and their tokens.
type swapper struct {
	prefix [tokenPrefix]byte
	text   [prefixText]byte // of prefix
	values [][]byte         // by number
	found  []bool           // by number: restore has found the token

	restored map[visit]bool // what restore has come to
}

func newSwapper() *swapper {
	s := new(swapper)
	rand.Read(s.prefix[:])
	base64.StdEncoding.Encode(s.text[:], s.prefix[:])
	return s
}

// token returns the token of value n.
func (s *swapper) token(n int) []byte {
	return append(s.prefix[:len(s.prefix):len(s.prefix)], byte(n>>16), byte(n>>8), byte(n))
}

// lookup returns the value whose token is b.
func (s *swapper) lookup(b []byte) ([]byte, bool) {
	if len(b) != tokenLen || !bytes.HasPrefix(b, s.prefix[:]) {
		return nil, false
	}
	n := int(b[tokenPrefix])<<16 | int(b[tokenPrefix+1])<<8 | int(b[tokenPrefix+2])
	if n >= len(s.values) {
		return nil, false
	}
	if n < len(s.found) {
		s.found[n] = true
	}
	return s.values[n], true
}

// lookupText returns the value whose token's base64 text is b.
func (s *swapper) lookupText(b []byte) ([]byte, bool) {
	if len(b) != tokenText || !bytes.HasPrefix(b, s.text[:]) {
		return nil, false
	}
	var token [tokenLen]byte
	if _, err := base64.StdEncoding.Decode(token[:], b); err != nil {
		return nil, false
	}
	return s.lookup(token[:])
}

var (
	stringType    = reflect.TypeFor[string]()
	bytesType     = reflect.TypeFor[[]byte]()
	marshalerType = reflect.TypeFor[json.Marshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
)

// binaryTypes holds the answers of mayHoldBinary, by reflect.Type.
var binaryTypes sync.Map

// mayHoldBinary reports whether a value of type t can lead to a []byte that
// travels as binary. A type that writes its own JSON can't.
func mayHoldBinary(t reflect.Type) bool {
	if known, ok := binaryTypes.Load(t); ok {
		return known.(bool)
	}
	may := leadsToBinary(t, map[reflect.Type]bool{})
	binaryTypes.Store(t, may)
	return may
}

// leadsToBinary is mayHoldBinary without those types in seen, which are being
// looked at.
func leadsToBinary(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if t.Kind() == reflect.Interface {
		return true
	}
	if p := reflect.PointerTo(t); p.Implements(marshalerType) || p.Implements(textType) {
		return false
	}
	switch t.Kind() {
	case reflect.Slice:
		return isBytes(t) || leadsToBinary(t.Elem(), seen)
	case reflect.Pointer, reflect.Array, reflect.Map:
		return leadsToBinary(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && leadsToBinary(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// isBytes reports whether encoding/json would write t as base64.
func isBytes(t reflect.Type) bool { return t.Kind() == reflect.Slice && t.Elem() == bytesType.Elem() }
