package handshake

import (
	"fmt"
	"strconv"
)

// DeflateOptions are our side of the negotiation of permessage-deflate (RFC 7692).
// The zero value compresses each message by itself, which costs the least memory,
// with windows of up to 32 KiB.
type DeflateOptions struct {
	// ServerContextTakeover and ClientContextTakeover allow that side to keep its
	// window from one message to the next (sections 7.1.1.1 and 7.1.1.2). It then
	// compresses better, and both ends need memory for the window.
	ServerContextTakeover, ClientContextTakeover bool
	// ServerMaxWindowBits and ClientMaxWindowBits limit the window of that side to
	// 1<<bits bytes (sections 7.1.2.1 and 7.1.2.2), where bits is 8 to 15. Zero and
	// negative values are no limit, which is the same as 15. ClientMaxWindowBits
	// has no effect on a client that did not offer client_max_window_bits.
	ServerMaxWindowBits, ClientMaxWindowBits int
}

// Deflate holds the terms of permessage-deflate that both sides agreed on (RFC
// 7692, section 7.1).
type Deflate struct {
	// That side starts each message with an empty window.
	ServerNoContextTakeover, ClientNoContextTakeover bool
	// That side's window has at most 1<<bits bytes, where bits is 8 to 15.
	ServerMaxWindowBits, ClientMaxWindowBits int
}

// The range of the window bits (RFC 7692, section 7.1.2).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// The names of RFC 7692, section 7.1. Case matters.
const (
	deflateName      = "permessage-deflate"
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverWindowBits = "server_max_window_bits"
	clientWindowBits = "client_max_window_bits"
)

// check reports what is wrong with the options. nil options are right.
func (o *DeflateOptions) check() error {
	if o == nil {
		return nil
	}
	if err := checkWindowBits("ServerMaxWindowBits", o.ServerMaxWindowBits); err != nil {
		return err
	}
	return checkWindowBits("ClientMaxWindowBits", o.ClientMaxWindowBits)
}

func checkWindowBits(name string, bits int) error {
	if 0 < bits && bits < minWindowBits || bits > maxWindowBits {
		return fmt.Errorf("%s is %d, want %d to %d, or less than 1 for no bound", name, bits, minWindowBits, maxWindowBits)
	}
	return nil
}

// orMax returns bits, or 15 if bits is no limit.
func orMax(bits int) int {
	if bits <= 0 {
		return maxWindowBits
	}
	return bits
}

// deflateParams are the parameters of an offer or an answer.
type deflateParams struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int  // 0: absent, or without a value
	clientBitsBare                     bool // client_max_window_bits without a value
}

// deflateParams reads the parameters of a permessage-deflate element. ok is false
// if one of them is unknown, comes twice, or has an illegal value (RFC 7692,
// section 7.1). err is a breach of the grammar.
func (s *extensionScanner) deflateParams() (d deflateParams, ok bool, err error) {
	ok = true
	for {
		p, err := s.param()
		if err != nil || len(p.name) == 0 {
			return d, ok, err
		}
		ok = d.set(p) && ok
	}
}

// set sets one parameter and reports whether it is legal.
func (d *deflateParams) set(p param) bool {
	switch string(p.name) {
	case serverNoTakeover:
		return setFlag(&d.serverNoTakeover, p)
	case clientNoTakeover:
		return setFlag(&d.clientNoTakeover, p)
	case serverWindowBits:
		return setBits(&d.serverBits, p)
	case clientWindowBits:
		if d.clientBits != 0 || d.clientBitsBare {
			return false
		}
		if !p.hasValue {
			d.clientBitsBare = true
			return true
		}
		return setBits(&d.clientBits, p)
	}
	return false
}

// setFlag sets a parameter that has no value and may come once.
func setFlag(flag *bool, p param) bool {
	if *flag || p.hasValue {
		return false
	}
	*flag = true
	return true
}

// setBits sets a parameter that has window bits as its value and may come once.
func setBits(bits *int, p param) bool {
	n := windowBits(p.value)
	if n == 0 || *bits != 0 {
		return false
	}
	*bits = n
	return true
}

// windowBits returns the number in v: 8 to 15, without leading zeros (RFC 7692,
// section 7.1.2.1). It returns 0 for anything else.
func windowBits(v []byte) int {
	switch {
	case len(v) == 1 && (v[0] == '8' || v[0] == '9'):
		return int(v[0] - '0')
	case len(v) == 2 && v[0] == '1' && '0' <= v[1] && v[1] <= '5':
		return 10 + int(v[1]-'0')
	}
	return 0
}

// accept answers a legal offer with the server's choice within what the client
// allows (RFC 7692, section 7.1). Every legal offer can be accepted.
func (o *DeflateOptions) accept(offer deflateParams) (agreed Deflate, answer deflateParams) {
	answer.serverNoTakeover = offer.serverNoTakeover || !o.ServerContextTakeover
	answer.clientNoTakeover = offer.clientNoTakeover || !o.ClientContextTakeover
	// The answer repeats the parameter with the same value or a smaller one, and may
	// have it unasked (section 7.1.2.1).
	server := orMax(o.ServerMaxWindowBits)
	if offer.serverBits != 0 {
		server = min(server, offer.serverBits)
	}
	if server < maxWindowBits || offer.serverBits != 0 {
		answer.serverBits = server
	}
	// The client is limited only if it offered to be (section 7.1.2.2).
	client := maxWindowBits
	if offer.clientBits != 0 || offer.clientBitsBare {
		client = min(orMax(o.ClientMaxWindowBits), orMax(offer.clientBits))
		if client < maxWindowBits || offer.clientBits != 0 {
			answer.clientBits = client
		}
	}
	return answer.terms(), answer
}

// terms returns the terms that hold once the answer has been sent.
func (d deflateParams) terms() Deflate {
	return Deflate{
		ServerNoContextTakeover: d.serverNoTakeover,
		ClientNoContextTakeover: d.clientNoTakeover,
		ServerMaxWindowBits:     orMax(d.serverBits),
		ClientMaxWindowBits:     orMax(d.clientBits),
	}
}

// offer returns the client's offer. It always offers to limit the client's own
// window, because we can honour any limit (RFC 7692, section 7.1.2.2).
func (o *DeflateOptions) offer() deflateParams {
	d := deflateParams{
		serverNoTakeover: !o.ServerContextTakeover,
		clientNoTakeover: !o.ClientContextTakeover,
		clientBitsBare:   orMax(o.ClientMaxWindowBits) == maxWindowBits,
	}
	if bits := orMax(o.ServerMaxWindowBits); bits < maxWindowBits {
		d.serverBits = bits
	}
	if !d.clientBitsBare {
		d.clientBits = o.ClientMaxWindowBits
	}
	return d
}

// agree returns the terms that a server's legal answer gives, and whether our offer
// allows them. The answer may omit what we asked of the server: such a server keeps
// its window, and we can read that. It may have either no_context_takeover unasked
// (RFC 7692, section 7.1.1).
func (o *DeflateOptions) agree(answer deflateParams) (agreed Deflate, ok bool) {
	if answer.clientBitsBare || answer.serverBits > orMax(o.ServerMaxWindowBits) {
		return Deflate{}, false
	}
	agreed = answer.terms()
	// Our offer binds us, whatever the answer says.
	agreed.ClientNoContextTakeover = agreed.ClientNoContextTakeover || !o.ClientContextTakeover
	agreed.ClientMaxWindowBits = min(agreed.ClientMaxWindowBits, orMax(o.ClientMaxWindowBits))
	return agreed, true
}

// append appends the extension's name and the parameters to b.
func (d deflateParams) append(b []byte) []byte {
	b = append(b, deflateName...)
	if d.serverNoTakeover {
		b = append(b, "; "+serverNoTakeover...)
	}
	if d.clientNoTakeover {
		b = append(b, "; "+clientNoTakeover...)
	}
	if d.serverBits != 0 {
		b = append(b, "; "+serverWindowBits+"="...)
		b = strconv.AppendInt(b, int64(d.serverBits), 10)
	}
	if d.clientBitsBare {
		b = append(b, "; "+clientWindowBits...)
	}
	if d.clientBits != 0 {
		b = append(b, "; "+clientWindowBits+"="...)
		b = strconv.AppendInt(b, int64(d.clientBits), 10)
	}
	return b
}
