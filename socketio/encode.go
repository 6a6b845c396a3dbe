package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Errors of encoding.
var (
	errManyAttachments = errors.New("socket.io: more attachments than Limits.Attachments")
	errReservedName    = errors.New("socket.io: event name is reserved")
	errManyArguments   = errors.New("socket.io: more arguments than MaxArguments, which other nodes refuse")
	errDeep            = errors.New("socket.io: nested deeper than MaxDepth, which other nodes refuse")
	errMisleading      = errors.New("socket.io: beside binary data, an object whose _placeholder is true")
)

// An encoder writes arguments as JSON and collects the binary data in them. It
// appends to whatever its buffer holds.
type encoder struct {
	buf    []byte
	start  int           // where the JSON begins in buf, if newEncoder has left room before it
	limit  int           // the greatest number of attachments
	packet parser.Packet // its Binary holds the caller's values, not copies
}

// event appends the array of an event: its name and arguments.
func (e *encoder) event(name string, args []any) error {
	if packet.Reserved(name) {
		return fmt.Errorf("%w: %q", errReservedName, name)
	}
	e.buf = append(e.buf, '[')
	e.buf = appendString(e.buf, name)
	for _, arg := range args {
		e.buf = append(e.buf, ',')
		if err := e.value(arg); err != nil {
			return err
		}
	}
	e.buf = append(e.buf, ']')
	return nil
}

// offset adds an argument, a string, to the array that was appended last. It returns
// where restore cuts that off again.
func (e *encoder) offset(s string) (bare int) {
	e.buf = slices.Grow(e.buf, len(`,""]`)+maxEscape*len(s)) // if it moved, restore would not reach what a log was given
	bare = len(e.buf) - 1
	e.buf[bare] = ',' // in place of the bracket
	e.buf = append(appendString(e.buf, s), ']')
	return bare
}

// restore undoes offset.
func (e *encoder) restore(bare int) { e.buf = append(e.buf[:bare], ']') }

// array appends the array of an acknowledgement.
func (e *encoder) array(args []any) error {
	e.buf = append(e.buf, '[')
	for i, arg := range args {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if err := e.value(arg); err != nil {
			return err
		}
	}
	e.buf = append(e.buf, ']')
	return nil
}

// value appends one argument. Every []byte in it, at any depth, becomes a
// placeholder; a nil []byte becomes null.
func (e *encoder) value(arg any) error {
	switch x := arg.(type) {
	case nil:
		e.buf = append(e.buf, "null"...)
	case string:
		e.buf = appendString(e.buf, x)
	case bool:
		e.buf = strconv.AppendBool(e.buf, x)
	case int:
		e.buf = strconv.AppendInt(e.buf, int64(x), 10)
	case []byte:
		if x == nil {
			e.buf = append(e.buf, "null"...)
			return nil
		}
		return e.placeholder(x)
	default:
		swapped, s := swapBinary(arg)
		start := len(e.buf)
		if err := e.json(swapped); err != nil {
			return err
		}
		if s != nil {
			return e.placeholders(start, s)
		}
	}
	return nil
}

// json appends v as encoding/json writes it, but without the escaping of HTML: <, >
// and & stay as they are, as in JavaScript.
func (e *encoder) json(v any) error {
	start := len(e.buf)
	j := json.NewEncoder((*appender)(&e.buf))
	j.SetEscapeHTML(false)
	if err := j.Encode(v); err != nil {
		return fmt.Errorf("socket.io: argument: %w", err)
	}
	e.buf = e.buf[:len(e.buf)-1] // the line feed that Encode adds
	e.buf = append(e.buf[:start], inUTF8(e.buf[start:])...)
	return nil
}

// inUTF8 returns JSON of encoding/json with U+FFFD for all bytes that are not UTF-8. Such
// bytes are in strings that come from a json.RawMessage or a MarshalJSON, which
// encoding/json does not judge. As text they would end the connections of all recipients.
func inUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return []byte(string([]rune(string(text))))
}

// placeholder appends a placeholder for data, as the next attachment.
func (e *encoder) placeholder(data []byte) error {
	p, num := &e.packet, len(e.packet.Binary)
	if num >= e.limit {
		return errManyAttachments
	}
	start := len(e.buf)
	e.buf = parser.AppendPlaceholder(e.buf, num)
	span := parser.Span{Start: start - e.start, End: len(e.buf) - e.start}
	p.Placeholders = append(p.Placeholders, parser.Placeholder{Span: span, Num: num})
	p.Binary = append(p.Binary, data)
	return nil
}

// refused returns why nodes refuse the event that was encoded, with so many arguments; nil: they
// don't.
func (e *encoder) refused(args int) error {
	switch {
	case args > MaxArguments:
		return errManyArguments
	case packet.DeeperThan(e.buf[e.start:], MaxDepth):
		return errDeep
	}
	return nil
}

// check returns an error if the JSON from start on has an object that readers would take for a
// placeholder, though it is none: they would put binary data there, or close the connection.
func (e *encoder) check(start int) error {
	p := &e.packet
	if len(p.Binary) > 0 && packet.Misleads(e.buf[start:], len(p.Binary), p.Placeholders) {
		return errMisleading
	}
	return nil
}

// An appender is the io.Writer of a slice.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// appendString appends s as a JSON string, as encoding/json writes it without the
// escaping of HTML: bytes that are not UTF-8 become U+FFFD, and U+2028 and U+2029
// are escaped, since JavaScript once took them for line ends.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0 // s[plain:i] stands for itself
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			i += n
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[plain:i-1]...), `\ufffd`...)
				plain = i
			} else if r == '\u2028' || r == '\u2029' {
				b = append(append(b, s[plain:i-n]...), `\u202`...)
				b = append(b, hex[r&0xF])
				plain = i
			}
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = appendEscape(append(b, s[plain:i-1]...), c)
		plain = i
	}
	return append(append(b, s[plain:]...), '"')
}

const hex = "0123456789abcdef"

// maxEscape is how many bytes appendString writes for one at most.
const maxEscape = 6

// appendEscape appends the escape of a character that can't stand in a JSON string.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
}
