package main

import (
	"bytes"

	"github.com/parleyws/parley/frame"
)

// A parser counts the messages in what a server sends. It looks at headers
// alone.
type parser struct {
	head []byte // of a header that has not come whole
	left int64  // octets of a payload that have not come
	last bool   // with which a message ends
	like []byte // the header of the latest frame that ended a message: most are like it
	size int    // of such a frame; 0: there was none yet
	// engine says that messages are packets of Engine.IO: those of one octet
	// are its pings, and no messages.
	engine bool
	pings  int
}

// feed takes what came next and returns how many messages ended in it.
func (p *parser) feed(b []byte) (messages int, err error) {
	for len(b) > 0 {
		if n := p.alike(b); n > 0 {
			messages, b = messages+n, b[n*p.size:]
		} else if p.left > 0 {
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

// alike returns how many whole frames in front of b have the header of like:
// where many answers come at once they need not be parsed one by one.
func (p *parser) alike(b []byte) (n int) {
	if p.size == 0 || p.left > 0 || len(p.head) > 0 {
		return 0
	}
	for len(b) >= p.size && bytes.HasPrefix(b, p.like) {
		n, b = n+1, b[p.size:]
	}
	return n
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
	p.begin(h)
	if p.last {
		p.like, p.size = append(p.like[:0], octets[:n]...), n+int(h.Length)
	}
	p.head = p.head[:0]
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
