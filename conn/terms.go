package conn

import (
	"math/rand/v2"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/requestvalues"
)

// terms are what was settled for a connection by its handshake, where that is anything: most
// connections of most servers have none. They are constant. What they point to may not be.
// A nil *terms is that of a server without permessage-deflate.
type terms struct {
	subprotocol string
	values      requestvalues.Values // for what Server gives to its functions; nil: none
	deflation   *deflation           // of what we send; nil: off
	inflater    *inflater.Inflater   // of what we receive; nil: off. It belongs to the parser
	masker      *rand.ChaCha8        // of a client's masking keys; nil: a server. Guarded by outbound.mu
}

// newTerms returns the terms of a connection in role.
func newTerms(hs *handshake.Result, role Role, s *settings) *terms {
	if role == RoleServer && hs.Deflate == nil && hs.Subprotocol == "" {
		return nil
	}
	t := &terms{
		subprotocol: hs.Subprotocol,
		deflation:   newDeflation(role, hs.Deflate, s.compression),
		inflater:    newInflater(role, hs.Deflate),
	}
	if role == RoleClient {
		t.masker = newMasker()
	}
	return t
}

// newInflater returns what inflates what a Conn in role receives; nil if
// permessage-deflate is not agreed on.
func newInflater(role Role, agreed *handshake.Deflate) *inflater.Inflater {
	switch {
	case agreed == nil:
		return nil
	case role == RoleClient:
		return inflater.New(!agreed.ServerNoContextTakeover, agreed.ServerMaxWindowBits)
	}
	return inflater.New(!agreed.ClientNoContextTakeover, agreed.ClientMaxWindowBits)
}

// setValues makes values those of the connection's ctx, before anybody else knows it.
func (c *Conn) setValues(values requestvalues.Values) {
	if c.terms == nil {
		c.terms = &terms{}
	}
	c.terms.values = values
}

// Subprotocol returns the subprotocol that the handshake agreed on, or "".
func (c *Conn) Subprotocol() string {
	if c.terms == nil {
		return ""
	}
	return c.terms.subprotocol
}

// deflation returns what compresses what is sent; nil if nothing does.
func (o *outbound) deflation() *deflation {
	if t := o.c.terms; t != nil {
		return t.deflation
	}
	return nil
}

// masks reports whether frames are masked: the Conn is a client's (RFC 6455, section 5.3).
func (o *outbound) masks() bool { return o.c.terms != nil && o.c.terms.masker != nil }
