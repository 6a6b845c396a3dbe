package loop

import (
	"net"
	"net/netip"
	"unique"
)

// addresses are those of a Socket, which outlive it. A server has few of its own and
// as many of peers as it has connections: these are kept in a third of a net.TCPAddr's
// bytes.
type addresses struct {
	local  unique.Handle[netip.AddrPort]
	remote netip.AddrPort
	others *otherAddresses // of what is not TCP; nil otherwise
}

type otherAddresses struct{ local, remote net.Addr }

func (a *addresses) setAddresses(nc net.Conn) {
	local, isTCP := nc.LocalAddr().(*net.TCPAddr)
	remote, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !isTCP || !ok {
		a.others = &otherAddresses{nc.LocalAddr(), nc.RemoteAddr()}
		return
	}
	a.local, a.remote = unique.Make(local.AddrPort()), remote.AddrPort()
}

// LocalAddr implements net.Conn.
func (a *addresses) LocalAddr() net.Addr {
	if a.others != nil {
		return a.others.local
	}
	return net.TCPAddrFromAddrPort(a.local.Value())
}

// RemoteAddr implements net.Conn.
func (a *addresses) RemoteAddr() net.Addr {
	if a.others != nil {
		return a.others.remote
	}
	return net.TCPAddrFromAddrPort(a.remote)
}
