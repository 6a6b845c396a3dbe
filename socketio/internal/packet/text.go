package packet

import (
	"strconv"

	"github.com/parleyws/parley/parser"
)

// Text is the parser of the protocol's own form:
// type[attachments-][/namespace,][acknowledgement id][JSON].
type Text struct{}

// What the digit of a type is on the wire if the packet has attachments.
const (
	binaryEvent = 5
	binaryAck   = 6
)

// Errors of Text.
var (
	errEmpty       error = &parser.Error{Reason: "packet without a type"}
	errCount       error = &parser.Error{Reason: "count of attachments is not a number from 1 on"}
	errPlaceholder error = &parser.Error{Reason: "placeholder without an attachment"}
	errJSON        error = &parser.Error{Reason: "payload is not JSON"}
)

// root is the namespace of a packet that names none.
var root = []byte("/")

// Binary implements parser.Parser.
func (Text) Binary() bool { return false }

// Parse implements parser.Parser. Errors are of type *parser.Error.
func (Text) Parse(p *parser.Packet, b []byte, l parser.Limits) error {
	p.Reset()
	if len(b) == 0 {
		return errEmpty
	}
	kind := b[0] - '0'
	b = b[1:]
	switch {
	case kind > binaryAck:
		return parser.ErrType
	case kind < binaryEvent:
		p.Type = parser.Type(kind)
	default:
		p.Type = parser.Event + parser.Type(kind-binaryEvent)
		var err error
		if p.Attachments, b, err = count(b, l.Attachments); err != nil {
			return err
		}
	}
	namespace := root
	if len(b) > 0 && b[0] == '/' {
		namespace, b = cutNamespace(b)
	}
	p.Namespace = append(p.Namespace, namespace...)
	if len(b) > 0 && isDigit(b[0]) {
		id, rest, ok := digits(b, parser.MaxID)
		if !ok {
			return parser.ErrID
		}
		p.HasID, p.ID, b = true, id, rest
	}
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	p.Data = append(p.Data, b...)
	if len(p.Data) == 0 {
		return nil
	}
	s := scanner{b: p.Data, depth: l.Depth, attachments: p.Attachments, placeholders: p.Placeholders}
	err := s.data(p, l.Arguments)
	p.Placeholders = s.placeholders
	return err
}

// count reads the number of attachments and the dash after it.
func count(b []byte, limit int) (n int, rest []byte, err error) {
	number, rest, ok := digits(b, 1<<32-1)
	switch {
	case !ok || number == 0 || len(rest) == 0 || rest[0] != '-':
		return 0, nil, errCount
	case number > uint64(limit):
		return 0, nil, parser.ErrAttachments
	}
	return int(number), rest[1:], nil
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

// data checks the data of p, which begins at the next byte. If it is an array, data
// splits it into p.Args; there may be as many arguments beside an event's name.
func (s *scanner) data(p *parser.Packet, arguments int) error {
	if s.peek() != '[' {
		if err := s.value(1); err != nil {
			return err
		}
		return s.end()
	}
	s.i++
	s.space()
	if s.peek() == ']' {
		s.i++
		return s.end()
	}
	for {
		start := s.i
		if err := s.value(2); err != nil {
			return err
		}
		if len(p.Args) > arguments {
			return parser.ErrArguments
		}
		p.Args = append(p.Args, parser.Span{Start: start, End: s.i})
		more, err := s.next(']')
		if err != nil {
			return err
		}
		if !more {
			return s.end()
		}
	}
}

// Encode implements parser.Parser.
func (Text) Encode(p *parser.Packet) (message []byte, attachments [][]byte) {
	head := p.Scratch[:0]
	if n := len(p.Binary); n > 0 {
		head = append(head, '0'+byte(p.Type-parser.Event)+binaryEvent)
		head = strconv.AppendInt(head, int64(n), 10)
		head = append(head, '-')
	} else {
		head = append(head, '0'+byte(p.Type))
	}
	if len(p.Namespace) > 1 {
		head = append(head, p.Namespace...)
		head = append(head, ',')
	}
	if p.HasID {
		head = strconv.AppendUint(head, p.ID, 10)
	}
	p.Scratch = head
	return p.Prepend(head), p.Binary
}

// Headroom is the size of the longest text that may precede the JSON of a packet,
// without the namespace: type, attachments, dash, comma, id.
const Headroom = 1 + 5 + 1 + 1 + 20
