// Package octetwise cuts the reads and writes of a connection into single bytes.
// Tests use it to find code that relies on how a stream happens to be divided.
package octetwise

import (
	"errors"
	"net"
)

// New returns a connection that passes reads and writes on to nc byte by byte: a
// Read returns at most one byte, and a Write calls nc.Write once for each byte. It
// has the methods of net.Conn and CloseWrite, which fails with
// errors.ErrUnsupported if nc has no such method.
func New(nc net.Conn) net.Conn { return &conn{nc} }

type conn struct{ net.Conn }

func (c *conn) Read(p []byte) (int, error) {
	return c.Conn.Read(p[:min(len(p), 1)])
}

// Write is not atomic: concurrent Writes mix their bytes.
func (c *conn) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// CloseWrite closes only the writing direction.
func (c *conn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}
