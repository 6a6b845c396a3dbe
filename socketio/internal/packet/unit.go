// Package packet judges the packets of the Socket.IO protocol, version 5, and puts
// packets and their attachments together. It also has the parser of the protocol's
// own form, which is text. It is pure: bytes to values and back, without I/O, locks
// or a clock. What the arguments of an event mean is not decided here: they are
// found, checked, and left as JSON.
package packet

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
)

// Errors of Unit.Parse beside those of the parser.
var (
	errPayload   error = &parser.Error{Reason: "payload does not fit the packet type"}
	errEventName error = &parser.Error{Reason: "event name is not a string or number"}
	errReserved  error = &parser.Error{Reason: "event name is reserved"}
)

// A Unit is a received packet together with its attachments: what handlers and
// queues deal in. A Unit may be parsed into again, which reuses its memory except
// for the attachments: those belong to whoever took them. The zero value is ready.
type Unit struct {
	parser.Packet        // its Args are without the name of an event
	name          []byte // of an event
}

// Parse reads the first message of a packet into u, which keeps nothing of it, and
// judges all that does not depend on the form of packets: whether the data fits the
// type, the number of arguments, and the event's name. u must not be used after an
// error.
func (u *Unit) Parse(x parser.Parser, message []byte, l parser.Limits) error {
	u.name = nil
	if err := x.Parse(&u.Packet, message, l); err != nil {
		return err
	}
	return u.judge(l)
}

// errUTF8 is the error of Read for data that no message could have brought.
var errUTF8 error = &parser.Error{Reason: "payload is not UTF-8"}

// Read reads data into u as the data of a packet of type t, of which it keeps a copy,
// and judges it as Parse does. Attachments stand for its placeholders; u shares them.
func (u *Unit) Read(t parser.Type, data []byte, attachments [][]byte, l parser.Limits) error {
	u.name = nil
	u.Reset()
	u.Type = t
	switch {
	case !utf8.Valid(data):
		return errUTF8
	case len(attachments) > l.Attachments:
		return parser.ErrAttachments
	}
	u.Data = append(u.Data, bytes.Trim(data, " \t\n\r")...) // an event that gets an offset ends with its bracket
	u.Binary = append(u.Binary, attachments...)
	s := scanner{b: u.Data, depth: l.Depth, attachments: len(attachments), placeholders: u.Placeholders}
	err := s.data(&u.Packet, l.Arguments)
	if u.Placeholders = s.placeholders; err != nil {
		return err
	}
	return u.judge(l)
}

// judge judges what Parse and Read have in common.
func (u *Unit) judge(l parser.Limits) error {
	if !u.fits() {
		return errPayload
	}
	if u.Type == parser.Event {
		if err := u.takeName(); err != nil {
			return err
		}
	}
	if len(u.Args) > l.Arguments {
		return parser.ErrArguments
	}
	return nil
}

// fits reports whether the data fits the type.
func (u *Unit) fits() bool {
	var first byte
	if len(u.Data) > 0 {
		first = u.Data[0]
	}
	switch u.Type {
	case parser.Connect:
		return first == 0 || first == '{'
	case parser.Disconnect:
		return first == 0
	case parser.Event:
		return first == '[' && len(u.Args) > 0
	case parser.Ack:
		return first == '['
	case parser.ConnectError:
		return first == '{' || first == '"' // a string is that of old servers
	}
	return false
}

// takeName takes the name of an event from the arguments.
func (u *Unit) takeName() error {
	first := u.Arg(0)
	switch c := first[0]; {
	case c == '"':
		u.name = unquote(first)
	case c == '-' || isDigit(c):
		u.name = numberName(first)
	default:
		return errEventName
	}
	if Reserved(u.name) {
		return errReserved
	}
	u.Args = u.Args[:copy(u.Args, u.Args[1:])]
	return nil
}

// unquote returns the text of a string that is legal JSON. It is a view of b unless
// the string holds escapes.
func unquote(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b[1 : len(b)-1]
	}
	var text string
	json.Unmarshal(b, &text) // can't fail: it was scanned
	return []byte(text)
}

// numberName returns the text that JavaScript has for a number: there an
// event's name is the key of an object.
func numberName(b []byte) []byte {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return b
	}
	if f == 0 {
		return []byte("0") // also -0
	}
	return strconv.AppendFloat(nil, f, 'f', -1, 64)
}

// Reserved reports whether name has a meaning of its own in the JavaScript API.
// No event may have such a name, received or sent.
func Reserved[T string | []byte](name T) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// Name returns the name of the event that was parsed, nil for other packets. It
// is valid until the next Parse. A number gives the text that JavaScript has for it.
func (u *Unit) Name() []byte { return u.name }

// Len returns the number of arguments of the event or acknowledgement that was
// parsed, without the event's name.
func (u *Unit) Len() int { return len(u.Args) }

// Span returns where argument i, from 0 to Len()-1, lies in Data.
func (u *Unit) Span(i int) parser.Span { return u.Args[i] }

// Arg returns the JSON of argument i, from 0 to Len()-1, as a view of Data. It may
// hold placeholders.
func (u *Unit) Arg(i int) []byte { return u.Data[u.Args[i].Start:u.Args[i].End] }

// Within returns the placeholders inside s, in the order of Data. They belong
// to u and must not be modified.
func (u *Unit) Within(s parser.Span) []parser.Placeholder {
	all := u.Placeholders
	for len(all) > 0 && all[0].Start < s.Start {
		all = all[1:]
	}
	n := 0
	for n < len(all) && all[n].End <= s.End {
		n++
	}
	return all[:n]
}

// What a Unit takes in memory beside its bytes: the Unit and its place in a
// queue, and what stands for an attachment, an argument and a placeholder.
const (
	unitOverhead        = 320
	attachmentOverhead  = 40
	argumentOverhead    = 16
	placeholderOverhead = 24
)

// Size returns about how much memory u takes, in bytes.
func (u *Unit) Size() int {
	n := unitOverhead + len(u.Namespace) + len(u.Data) + argumentOverhead*len(u.Args) + placeholderOverhead*len(u.Placeholders)
	for _, data := range u.Binary {
		n += attachmentOverhead + len(data)
	}
	return n
}

// Held returns how many bytes of memory u keeps for the next Parse.
func (u *Unit) Held() int { return cap(u.Namespace) + cap(u.Data) + cap(u.Scratch) }

// Drop forgets the attachments.
func (u *Unit) Drop() {
	clear(u.Binary)
	u.Binary = u.Binary[:0]
}

// Poison overwrites the packet, so that a view of it that is used too late
// shows.
func (u *Unit) Poison() {
	for _, b := range [][]byte{u.Namespace, u.Data} {
		for i := range b {
			b[i] = '!'
		}
	}
}
