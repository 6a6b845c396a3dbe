package loop

import (
	"net"
	"net/netip"
	"unique"
)

// addresses are those of a Socket, which outlive it: the peer's IP address, whose port is
// Socket.port, and a pointer to what sockets have in common.
type addresses struct {
	common unique.Handle[commonAddress]
	ip     [16]byte
}

// A commonAddress is what many sockets have in common: all connections of a TCP listener
// have one address of ours, and those of a Unix socket mostly have the same two.
type commonAddress struct {
	local  any    // see addressValue
	remote any    // likewise, unless isTCP
	isTCP  bool   // the peer has a TCP address, of which the Socket has the rest
	is4    bool   // that is an IPv4 address
	zone   string // of that (RFC 4007)
}

func (s *Socket) setAddresses(nc net.Conn) {
	a := commonAddress{local: addressValue(nc.LocalAddr()), remote: addressValue(nc.RemoteAddr())}
	if remote, ok := a.remote.(netip.AddrPort); ok {
		ip := remote.Addr()
		a.remote, a.isTCP, a.is4, a.zone = nil, true, ip.Is4(), ip.Zone()
		s.ip, s.port = ip.As16(), remote.Port()
	}
	s.common = unique.Make(a)
}

// LocalAddr implements net.Conn.
func (s *Socket) LocalAddr() net.Addr { return addressOf(s.common.Value().local) }

// RemoteAddr implements net.Conn.
func (s *Socket) RemoteAddr() net.Addr {
	a := s.common.Value()
	if !a.isTCP {
		return addressOf(a.remote)
	}
	ip := netip.AddrFrom16(s.ip).WithZone(a.zone)
	if a.is4 {
		ip = ip.Unmap()
	}
	return addressOf(netip.AddrPortFrom(ip, s.port))
}

// addressValue returns a as a value that equals those of equal addresses, if a is one of
// TCP or of a Unix socket, and else a itself.
func addressValue(a net.Addr) any {
	switch a := a.(type) {
	case *net.TCPAddr:
		if a != nil {
			return a.AddrPort()
		}
	case *net.UnixAddr:
		if a != nil {
			return *a
		}
	}
	return a
}

// addressOf returns what addressValue has made v of.
func addressOf(v any) net.Addr {
	switch v := v.(type) {
	case netip.AddrPort:
		return net.TCPAddrFromAddrPort(v)
	case net.UnixAddr:
		return &v
	}
	a, _ := v.(net.Addr)
	return a
}
