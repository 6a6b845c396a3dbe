package main

import "github.com/parleyws/parley/frame"

// A parser counts the messages in what a server sends. It looks at headers
// alone.
type parser struct {
	head []byte // of a header that has not come whole
	left int64  // octets of a payload that have not come
	last bool   // with which a message ends
	// engine says that messages are packets of Engine.IO: those of one octet
	// are its pings, and no messages.
	engine bool
	pings  int
}

// feed takes what came next and returns how many messages ended in it.
func (p *parser) feed(b []byte) (messages int, err error) {
	for len(b) > 0 {
		if p.left > 0 {
			n := min(p.left, int64(len(b)))
			b, p.left = b[n:], p.left-n
		} else if b, err = p.header(b); err != nil {
			return messages, err
		}
		if p.left == 0 && p.last {
			messages++
			p.last = false
		}
	}
	return messages, nil
}

// header takes a header off b, or what has come of it.
func (p *parser) header(b []byte) ([]byte, error) {
	before := len(p.head)
	octets := b
	if before > 0 {
		p.head = append(p.head, b[:min(len(b), maxHeader-before)]...)
		octets = p.head
	}
	h, n, err := frame.Parse(octets)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		if before == 0 {
			p.head = append(p.head, b...)
		}
		return nil, nil
	}
	p.head = p.head[:0]
	p.begin(h)
	return b[n-before:], nil
}

const maxHeader = 14 // RFC 6455, section 5.2

func (p *parser) begin(h frame.Header) {
	p.left = h.Length
	p.last = h.Fin && !h.Opcode.IsControl()
	if p.engine && h.Length == 1 {
		p.last = false
		p.pings++
	}
}
