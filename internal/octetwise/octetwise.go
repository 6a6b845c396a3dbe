// Package octetwise cuts a connection into single octets, to find code that
// relies on how reads and writes happen to be divided.
package octetwise

import (
	"errors"
	"net"
)

// New returns nc with every Read giving at most one octet, and every Write
// passed on octet by octet. It hides the other methods of nc but for
// CloseWrite, which is an error where nc has none.
func New(nc net.Conn) net.Conn { return &conn{nc} }

type conn struct{ net.Conn }

func (c *conn) Read(p []byte) (int, error) {
	return c.Conn.Read(p[:min(len(p), 1)])
}

// Write is not atomic: octets of Writes that meet mix.
func (c *conn) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// CloseWrite closes the writing direction alone.
func (c *conn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}
