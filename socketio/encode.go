package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Errors of encoding.
var (
	errManyAttachments = errors.New("socket.io: more attachments than Limits.Attachments")
	errReservedName    = errors.New("socket.io: event name is reserved")
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

// offset adds an argument, a string, to the array that was appended last.
func (e *encoder) offset(s string) {
	e.buf = append(e.buf[:len(e.buf)-1], ',')
	e.buf = append(appendString(e.buf, s), ']')
}

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
	j := json.NewEncoder((*appender)(&e.buf))
	j.SetEscapeHTML(false)
	if err := j.Encode(v); err != nil {
		return fmt.Errorf("socket.io: argument: %w", err)
	}
	e.buf = e.buf[:len(e.buf)-1] // the line feed that Encode adds
	return nil
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
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				b = append(b, `\ufffd`...)
			case r == '\u2028' || r == '\u2029':
				b = append(b, `\u202`...)
				b = append(b, hex[r&0xF])
			default:
				b = append(b, s[i:i+n]...)
			}
			i += n
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&0xF])
		}
	}
	return append(b, '"')
}
