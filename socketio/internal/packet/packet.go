// Package packet reads and writes the packets of the Socket.IO protocol, version
// 5, and puts packets and their attachments together. It is pure: bytes to
// values and back, without I/O, locks or a clock. What the arguments of an event
// mean is not decided here: they are found, checked, and left as JSON.
package packet

import "strconv"

// A Type says what a packet is for (Socket.IO protocol v5, "Packet types"). On
// the wire it is one digit.
type Type uint8

// The packet types of the protocol. All others are illegal.
const (
	Connect      Type = iota // the client asks to join a namespace; the server grants it
	Disconnect               // either side leaves a namespace
	Event                    // an event with its arguments
	Ack                      // the acknowledgement of an event
	ConnectError             // the server refuses a namespace
	BinaryEvent              // an event with attachments
	BinaryAck                // an acknowledgement with attachments
)

// String returns the name that the protocol gives to t.
func (t Type) String() string {
	switch t {
	case Connect:
		return "CONNECT"
	case Disconnect:
		return "DISCONNECT"
	case Event:
		return "EVENT"
	case Ack:
		return "ACK"
	case ConnectError:
		return "CONNECT_ERROR"
	case BinaryEvent:
		return "BINARY_EVENT"
	case BinaryAck:
		return "BINARY_ACK"
	}
	return "unknown"
}

func (t Type) isBinary() bool { return t == BinaryEvent || t == BinaryAck }

// Limits on one packet that can't be raised.
const (
	// MaxAttachments is the greatest number of binary messages that belong to
	// one packet, received or sent.
	MaxAttachments = 10
	// MaxArguments is the greatest number of arguments that a received event
	// or acknowledgement may carry.
	MaxArguments = 128
	// MaxDepth is how deep arrays and objects of received JSON may be nested,
	// the array of the arguments counted.
	MaxDepth = 64
)

// maxID is the greatest id of an acknowledgement: JavaScript counts no further.
const maxID = 1<<53 - 1

// An Error says which rule was broken: by bytes that are no packet, or by a
// packet that may not come now. It holds nothing that the peer sent.
type Error struct {
	Reason string // the rule, in a few words
}

// Error returns the broken rule.
func (e *Error) Error() string { return "socket.io: " + e.Reason }

// Errors of Packet.Parse. They are values, so that refusing a packet allocates
// nothing.
var (
	errEmpty       error = &Error{"packet without a type"}
	errType        error = &Error{"unknown packet type"}
	errCount       error = &Error{"count of attachments is not a number of 1 to 10"}
	errID          error = &Error{"acknowledgement id out of range"}
	errPayload     error = &Error{"payload does not fit the packet type"}
	errEventName   error = &Error{"event name is not a string or number"}
	errReserved    error = &Error{"event name is reserved"}
	errArguments   error = &Error{"too many arguments"}
	errPlaceholder error = &Error{"placeholder without an attachment"}
	errJSON        error = &Error{"payload is not JSON"}
	errDepth       error = &Error{"payload is nested too deep"}
)

// A Packet is the unit that the two sides of a Socket.IO connection exchange:
// type[attachments-][/namespace,][acknowledgement id][JSON].
//
// The zero value is ready for Parse. A Packet that is parsed into again keeps
// its memory, so that parsing costs no allocation.
type Packet struct {
	Type        Type
	Namespace   []byte // begins with a slash; the root, "/", may also be nil
	HasID       bool
	ID          uint64 // of an acknowledgement that is asked for or given
	Attachments int    // binary messages that follow; only in the binary types
	Data        []byte // JSON, or empty

	name         []byte // of an event
	args         []Span // without the name
	placeholders []Placeholder
}

// A Span is a part of a packet's Data.
type Span struct{ Start, End int }

// A Placeholder is a part of a packet's Data that stands for attachment Num.
type Placeholder struct {
	Span
	Num int
}

// root is the namespace of a packet that names none.
var root = []byte("/")

// Parse reads the packet in b into p and overwrites what p held. The fields of
// p are views of b.
//
// Parse judges everything that can be said of one packet: its grammar, its JSON,
// whether the payload fits the type, reserved event names, placeholders, and
// the limits MaxAttachments, MaxArguments and MaxDepth. Errors are of type
// *Error; p must not be used after one.
func (p *Packet) Parse(b []byte) error {
	*p = Packet{Namespace: root, args: p.args[:0], placeholders: p.placeholders[:0]}
	if len(b) == 0 {
		return errEmpty
	}
	p.Type = Type(b[0] - '0')
	b = b[1:]
	if p.Type > BinaryAck {
		return errType
	}
	if p.Type.isBinary() {
		n, rest, ok := digits(b, MaxAttachments)
		if !ok || n == 0 || len(rest) == 0 || rest[0] != '-' {
			return errCount
		}
		p.Attachments, b = int(n), rest[1:]
	}
	if len(b) > 0 && b[0] == '/' {
		p.Namespace, b = cutNamespace(b)
	}
	if len(b) > 0 && isDigit(b[0]) {
		id, rest, ok := digits(b, maxID)
		if !ok {
			return errID
		}
		p.HasID, p.ID, b = true, id, rest
	}
	p.Data = b
	return p.parseData()
}

// cutNamespace splits b after a namespace. At the end of a packet the comma may
// be missing.
func cutNamespace(b []byte) (namespace, rest []byte) {
	for i, c := range b {
		if c == ',' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// digits reads a number of plain digits, at most limit.
func digits(b []byte, limit uint64) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && isDigit(b[i]); i++ {
		n = n*10 + uint64(b[i]-'0')
		if n > limit {
			return 0, nil, false
		}
	}
	return n, b[i:], i > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseData checks p.Data against p.Type and finds the arguments.
func (p *Packet) parseData() error {
	switch p.Type {
	case Connect:
		if len(p.Data) == 0 {
			return nil
		}
		return p.parseValue('{')
	case Disconnect:
		if len(p.Data) > 0 {
			return errPayload
		}
		return nil
	case ConnectError:
		if err := p.parseValue('{'); err != errPayload {
			return err
		}
		return p.parseValue('"') // of old servers
	case Event, BinaryEvent:
		if err := p.parseArray(); err != nil {
			return err
		}
		return p.parseName()
	default:
		return p.parseArray()
	}
}

// parseValue checks that p.Data is one value that begins with first.
func (p *Packet) parseValue(first byte) error {
	s := scanner{b: p.Data}
	s.space()
	if s.peek() != first {
		return errPayload
	}
	if err := s.value(1); err != nil {
		return err
	}
	return s.end()
}

// parseArray splits p.Data, which must be one array, into arguments.
func (p *Packet) parseArray() error {
	s := scanner{b: p.Data, attachments: p.Attachments, placeholders: p.placeholders}
	s.space()
	if s.peek() != '[' {
		return errPayload
	}
	s.i++
	s.space()
	if s.peek() == ']' {
		s.i++
		return s.end()
	}
	limit := MaxArguments
	if p.Type == Event || p.Type == BinaryEvent {
		limit++ // the name
	}
	for {
		start := s.i
		if err := s.value(2); err != nil {
			return err
		}
		if len(p.args) == limit {
			return errArguments
		}
		p.args = append(p.args, Span{start, s.i})
		more, err := s.next(']')
		if err != nil {
			return err
		}
		if !more {
			p.placeholders = s.placeholders
			return s.end()
		}
	}
}

// parseName takes the name of an event from the arguments.
func (p *Packet) parseName() error {
	if len(p.args) == 0 {
		return errPayload
	}
	first := p.Data[p.args[0].Start:p.args[0].End]
	switch c := first[0]; {
	case c == '"':
		p.name = unquote(first)
	case c == '-' || isDigit(c):
		p.name = numberName(first)
	default:
		return errEventName
	}
	if Reserved(p.name) {
		return errReserved
	}
	p.args = p.args[:copy(p.args, p.args[1:])]
	return nil
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
// is valid as long as the parsed bytes are. A number gives the text that
// JavaScript has for it.
func (p *Packet) Name() []byte { return p.name }

// Len returns the number of arguments of the event or acknowledgement that was
// parsed, without the event's name.
func (p *Packet) Len() int { return len(p.args) }

// Span returns where argument i, from 0 to Len()-1, lies in Data.
func (p *Packet) Span(i int) Span { return p.args[i] }

// Arg returns the JSON of argument i, from 0 to Len()-1, as a view of Data. In a
// binary packet it may hold placeholders.
func (p *Packet) Arg(i int) []byte { return p.Data[p.args[i].Start:p.args[i].End] }

// Within returns the placeholders inside s, in the order of Data. They belong
// to p and must not be modified.
func (p *Packet) Within(s Span) []Placeholder {
	all := p.placeholders
	for len(all) > 0 && all[0].Start < s.Start {
		all = all[1:]
	}
	n := 0
	for n < len(all) && all[n].End <= s.End {
		n++
	}
	return all[:n]
}

// Append appends the text of p, made from its exported fields, to b and returns
// the longer slice. It judges nothing: Parse may refuse the result.
func (p *Packet) Append(b []byte) []byte {
	b = append(b, '0'+byte(p.Type))
	if p.Type.isBinary() {
		b = strconv.AppendInt(b, int64(p.Attachments), 10)
		b = append(b, '-')
	}
	if len(p.Namespace) > 1 {
		b = append(b, p.Namespace...)
		b = append(b, ',')
	}
	if p.HasID {
		b = strconv.AppendUint(b, p.ID, 10)
	}
	return append(b, p.Data...)
}
