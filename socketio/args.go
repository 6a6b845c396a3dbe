package socketio

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// errNotBinary is the error of decoding something else than binary into a []byte.
var errNotBinary = errors.New("argument is not binary")

// decode reads argument i into target, a pointer. If there is no argument i it
// leaves target as it is. Binary data is not copied: target shares it with u.
func decode(u *packet.Unit, i int, target any) error {
	if i >= u.Len() {
		return nil
	}
	arg := u.Arg(i)
	span := u.Span(i)
	within := u.Within(span)
	if len(within) == 0 {
		return decodeText(arg, target)
	}
	if within[0].Span == span { // and there is no other
		switch t := target.(type) {
		case *[]byte:
			*t = u.Binary[within[0].Num]
			return nil
		case *any:
			*t = u.Binary[within[0].Num]
			return nil
		}
	}
	return decodeBinary(u, span, within, target)
}

// decodeText reads JSON without placeholders.
func decodeText(arg []byte, target any) error {
	switch t := target.(type) {
	case *string:
		if s, ok := plainString(arg); ok {
			*t = s
			return nil
		}
	case *[]byte:
		if string(arg) != "null" {
			return errNotBinary
		}
	}
	if err := json.Unmarshal(arg, target); err != nil {
		return fmt.Errorf("argument: %w", err)
	}
	return nil
}

// plainString returns the text of a string without escapes: most have none.
func plainString(arg []byte) (string, bool) {
	if arg[0] != '"' {
		return "", false
	}
	text := arg[1 : len(arg)-1]
	if slices.Contains(text, '\\') {
		return "", false
	}
	return string(text), utf8.Valid(text)
}

// decodeBinary reads JSON with placeholders. encoding/json sees a token in the
// place of each, which is then swapped for the attachment. If a token is not found
// again it has gone where bytes can't go; its placeholder is then read as the
// object that it is, so that, for instance, a string refuses it.
func decodeBinary(u *packet.Unit, arg parser.Span, within []parser.Placeholder, target any) error {
	s := newSwapper()
	for _, p := range within {
		s.values = append(s.values, u.Binary[p.Num])
	}
	all := slices.Repeat([]bool{true}, len(within))
	s.found = make([]bool, len(within))
	// A value of its own: what target leads to already is not walked through.
	value := reflect.New(reflect.TypeOf(target).Elem())
	err := json.Unmarshal(withTokens(u, arg, within, s, all), value.Interface())
	s.restore(value)
	if slices.Contains(s.found, false) {
		text := withTokens(u, arg, within, s, s.found)
		value.Elem().SetZero()
		clear(s.restored)
		err = json.Unmarshal(text, value.Interface())
		s.restore(value)
	}
	if err != nil {
		return fmt.Errorf("argument: %w", err)
	}
	reflect.ValueOf(target).Elem().Set(value.Elem())
	return nil
}

// withTokens returns the JSON of an argument with tokens in place of placeholders:
// of those for which tokens is true.
func withTokens(u *packet.Unit, arg parser.Span, within []parser.Placeholder, s *swapper, tokens []bool) []byte {
	text := make([]byte, 0, arg.End-arg.Start+len(within)*tokenText)
	at := arg.Start
	for i, p := range within {
		if !tokens[i] {
			continue
		}
		text = append(text, u.Data[at:p.Start]...)
		text = append(text, '"')
		text = base64.StdEncoding.AppendEncode(text, s.token(i))
		text = append(text, '"')
		at = p.End
	}
	return append(text, u.Data[at:arg.End]...)
}

// restore swaps the tokens in v, which encoding/json has filled, for their values, and
// reports whether that has changed v itself, and not only what it leads to. A token that
// has become a string in an interface value is swapped for a []byte. A user's
// UnmarshalJSON may have made v lead to itself, or to what others read at the same time:
// restore writes nothing but values.
func (s *swapper) restore(v reflect.Value) bool {
	if !mayHoldBinary(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && s.first(v, 0) {
			s.restore(v.Elem())
		}
	case reflect.Interface:
		return s.restoreInterface(v)
	case reflect.Slice:
		if isBytes(v.Type()) {
			data, ok := s.lookup(v.Bytes())
			if ok {
				v.SetBytes(data)
			}
			return ok
		}
		if s.first(v, v.Len()) {
			s.restoreElements(v)
		}
	case reflect.Array:
		return s.restoreElements(v)
	case reflect.Map:
		if s.first(v, 0) {
			s.restoreEntries(v)
		}
	case reflect.Struct:
		return s.restoreFields(v)
	}
	return false
}

// first reports whether restore has not come before to v, a pointer, a map, or a slice of
// n elements.
func (s *swapper) first(v reflect.Value, n int) bool {
	here := visit{v.Pointer(), n, v.Type()}
	if s.restored[here] {
		return false
	}
	if s.restored == nil {
		s.restored = map[visit]bool{}
	}
	s.restored[here] = true
	return true
}

// embedsStruct reports whether f promotes the fields of a struct. The struct's type
// may be unexported.
func embedsStruct(f reflect.StructField) bool {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && t.Kind() == reflect.Struct
}

// restoreInterface works on copies of what can't be set in place. encoding/json itself
// puts neither bytes nor structs into an interface value, but a user's UnmarshalJSON may.
func (s *swapper) restoreInterface(v reflect.Value) bool {
	elem := v.Elem()
	switch elem.Kind() {
	case reflect.String:
		if elem.Type() != stringType {
			return false // not of encoding/json, and a []byte may not fit
		}
		data, ok := s.lookupText([]byte(elem.String()))
		if ok {
			v.Set(reflect.ValueOf(data))
		}
		return ok
	case reflect.Map, reflect.Pointer:
		s.restore(elem)
	case reflect.Slice, reflect.Array, reflect.Struct:
		elem = copyValue(elem)
		if s.restore(elem) {
			v.Set(elem)
			return true
		}
	}
	return false
}

func (s *swapper) restoreElements(v reflect.Value) (changed bool) {
	for i := range v.Len() {
		changed = s.restore(v.Index(i)) || changed
	}
	return changed
}

func (s *swapper) restoreFields(v reflect.Value) (changed bool) {
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() || embedsStruct(v.Type().Field(i)) {
			changed = s.restore(f) || changed
		}
	}
	return changed
}

// restoreEntries works on copies: the values of a map can't be set in place.
func (s *swapper) restoreEntries(v reflect.Value) {
	for key, val := range v.Seq2() {
		val = copyValue(val)
		if s.restore(val) {
			v.SetMapIndex(key, val)
		}
	}
}
