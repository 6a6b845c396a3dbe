package main

import (
	"bytes"

	"github.com/parleyws/parley/frame"
)

// A parser counts the messages in the bytes of a server. It looks only at headers.
type parser struct {
	head []byte // the beginning of an incomplete header
	left int64  // bytes of the current payload that have not come
	last bool   // a message ends with the current payload
	like []byte // header of the latest frame that ended a message; most frames have the same
	size int    // length of that frame; 0 if there was none yet

	// engine says that messages are packets of Engine.IO. Packets of one byte are
	// pings, and do not count as messages.
	engine bool
	pings  int
}

// feed takes the next bytes and returns how many messages ended in them.
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

// alike returns how many whole frames at the start of b have the header like.
// With it, many answers that come at once need not be parsed one by one.
func (p *parser) alike(b []byte) (n int) {
	if p.size == 0 || p.left > 0 || len(p.head) > 0 {
		return 0
	}
	for len(b) >= p.size && bytes.HasPrefix(b, p.like) {
		n, b = n+1, b[p.size:]
	}
	return n
}

// header reads a header, or the part of it that has come, and returns the rest of b.
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
