package socketio

import "strconv"

// A PacketType says what a packet is for (Socket.IO protocol v5, "Packet
// types"). On the wire it is one digit.
type PacketType uint8

// The packet types of the protocol. All others are illegal.
const (
	TypeConnect      PacketType = iota // asks to join a namespace, and grants it
	TypeDisconnect                     // leaves a namespace
	TypeEvent                          // an event with its arguments
	TypeAck                            // the acknowledgement of an event
	TypeConnectError                   // refuses a namespace
	TypeBinaryEvent                    // an event with attachments
	TypeBinaryAck                      // an acknowledgement with attachments
)

// String returns the name that the protocol gives to t.
func (t PacketType) String() string {
	switch t {
	case TypeConnect:
		return "CONNECT"
	case TypeDisconnect:
		return "DISCONNECT"
	case TypeEvent:
		return "EVENT"
	case TypeAck:
		return "ACK"
	case TypeConnectError:
		return "CONNECT_ERROR"
	case TypeBinaryEvent:
		return "BINARY_EVENT"
	case TypeBinaryAck:
		return "BINARY_ACK"
	}
	return "unknown"
}

func (t PacketType) isBinary() bool { return t == TypeBinaryEvent || t == TypeBinaryAck }

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

// maxID is the greatest id of an acknowledgement: beyond it JavaScript can't
// count.
const maxID = 1<<53 - 1

// A PacketError tells why octets are no packet, or a packet that may not come.
// It holds nothing that the peer sent.
type PacketError struct {
	Reason string // the rule that was broken, in a few words
}

// Error returns the broken rule.
func (e *PacketError) Error() string { return "socket.io: " + e.Reason }

// Errors of Packet.Parse. They are values, so that refusing a packet allocates
// nothing.
var (
	errEmpty       error = &PacketError{"packet without a type"}
	errType        error = &PacketError{"unknown packet type"}
	errCount       error = &PacketError{"count of attachments is not a number of 1 to 10"}
	errID          error = &PacketError{"acknowledgement id out of range"}
	errPayload     error = &PacketError{"payload does not fit the packet type"}
	errEventName   error = &PacketError{"event name is not a string or number"}
	errReserved    error = &PacketError{"event name is reserved"}
	errArguments   error = &PacketError{"too many arguments"}
	errPlaceholder error = &PacketError{"placeholder without an attachment"}
	errJSON        error = &PacketError{"payload is not JSON"}
	errDepth       error = &PacketError{"payload is nested too deep"}
)

// A Packet is the unit that the two sides of a Socket.IO connection exchange:
// type[attachments-][/namespace,][acknowledgement id][JSON].
//
// The zero value is ready for Parse. A Packet that is parsed into again keeps
// its memory, so that parsing costs no allocation.
type Packet struct {
	Type        PacketType
	Namespace   []byte // begins with a slash; the root, "/", may also be nil
	HasID       bool
	ID          uint64 // of an acknowledgement that is asked for or given
	Attachments int    // binary messages that follow; only in the binary types
	Data        []byte // JSON, or empty

	name         []byte // of an event
	args         []span // in Data, without the name
	placeholders []placeholder
}

// A span is a part of a packet's Data.
type span struct{ start, end int }

// A placeholder stands in a packet's Data for one of its attachments.
type placeholder struct {
	span
	num int
}

// root is the namespace of a packet that names none.
var root = []byte("/")

// Parse reads the packet in b into p. What p had before is lost. The fields of
// p are views of b.
//
// Parse judges everything that can be said of one packet: its grammar, JSON,
// whether the payload fits the type, reserved event names, placeholders, and
// the limits MaxAttachments, MaxArguments and MaxDepth. Errors are of type
// *PacketError, and p is of no use then.
func (p *Packet) Parse(b []byte) error {
	*p = Packet{Namespace: root, args: p.args[:0], placeholders: p.placeholders[:0]}
	if len(b) == 0 {
		return errEmpty
	}
	p.Type = PacketType(b[0] - '0')
	b = b[1:]
	if p.Type > TypeBinaryAck {
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

// cutNamespace splits b behind a namespace. The comma may be missing at the
// end of the packet.
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
	case TypeConnect:
		if len(p.Data) == 0 {
			return nil
		}
		return p.parseValue('{')
	case TypeDisconnect:
		if len(p.Data) > 0 {
			return errPayload
		}
		return nil
	case TypeConnectError:
		if err := p.parseValue('{'); err != errPayload {
			return err
		}
		return p.parseValue('"') // of old servers
	case TypeEvent, TypeBinaryEvent:
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
	if p.Type == TypeEvent || p.Type == TypeBinaryEvent {
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
		p.args = append(p.args, span{start, s.i})
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
	first := p.Data[p.args[0].start:p.args[0].end]
	switch c := first[0]; {
	case c == '"':
		p.name = unquote(first)
	case c == '-' || isDigit(c):
		p.name = numberName(first)
	default:
		return errEventName
	}
	if reserved(p.name) {
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

// reserved reports whether name has a meaning of its own in the JavaScript
// API, so that no event may bear it, received or sent.
func reserved[T string | []byte](name T) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// Name returns the name of the event that was parsed, nil in other packets. It
// is valid as long as what was parsed is. A number as name gives its digits.
func (p *Packet) Name() []byte { return p.name }

// Len returns the number of arguments of the event or acknowledgement that was
// parsed, the event's name not counted.
func (p *Packet) Len() int { return len(p.args) }

// Arg returns the JSON of argument i, from 0 to Len()-1, as a view of what was
// parsed. In a binary packet it may hold placeholders.
func (p *Packet) Arg(i int) []byte { return p.Data[p.args[i].start:p.args[i].end] }

// Append appends the text of p, from its exported fields, to b and returns the
// longer slice. Nothing is judged: what Parse refuses can be written.
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
