package loop

import (
	"net"
	"net/netip"
	"reflect"
	"testing"
)

// addressed is a net.Conn of which only the addresses are asked.
type addressed struct {
	net.Conn
	local, remote net.Addr
}

func (a addressed) LocalAddr() net.Addr  { return a.local }
func (a addressed) RemoteAddr() net.Addr { return a.remote }

// A Socket has the addresses of what it was made of.
func TestAddresses(t *testing.T) {
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	unix := func(name string) net.Addr { return &net.UnixAddr{Name: name, Net: "unix"} }
	addresses := []net.Addr{
		tcp("192.0.2.1:80"), tcp("[::ffff:192.0.2.1]:65535"), tcp("[2001:db8::1]:1"), tcp("[fe80::1%eth0]:8080"), tcp("0.0.0.0:0"), tcp("[::]:0"),
		unix("/run/socket"), unix(""), unix("@abstract"), (*net.TCPAddr)(nil), (*net.UnixAddr)(nil), &net.UDPAddr{Port: 1}, nil,
	}
	for _, local := range addresses {
		for _, remote := range addresses {
			s := &Socket{}
			s.setAddresses(addressed{nil, local, remote})
			if got := s.LocalAddr(); !reflect.DeepEqual(got, local) {
				t.Errorf("of %v and %v: local %v", local, remote, got)
			}
			if got := s.RemoteAddr(); !reflect.DeepEqual(got, remote) {
				t.Errorf("of %v and %v: remote %v", local, remote, got)
			}
		}
	}
}

// Sockets with one address of ours share it, whatever the peer's, and both over a Unix socket.
func TestAddressesAreShared(t *testing.T) {
	common := func(local, remote string) any {
		s := &Socket{}
		if remote == "" {
			s.setAddresses(addressed{nil, &net.UnixAddr{Name: local, Net: "unix"}, &net.UnixAddr{Net: "unix"}})
		} else {
			s.setAddresses(addressed{nil, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(remote))})
		}
		return s.common
	}
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{common("192.0.2.1:80", "192.0.2.2:1"), common("192.0.2.1:80", "192.0.2.3:2"), true},
		{common("192.0.2.1:80", "192.0.2.2:1"), common("192.0.2.1:81", "192.0.2.2:1"), false},
		{common("192.0.2.1:80", "192.0.2.2:1"), common("192.0.2.1:80", "[2001:db8::1]:1"), false},
		{common("/run/socket", ""), common("/run/socket", ""), true},
		{common("/run/socket", ""), common("/run/other", ""), false},
	} {
		if (c.a == c.b) != c.want {
			t.Errorf("%v and %v: shared %t", c.a, c.b, c.a == c.b)
		}
	}
}

// TestSize holds a Socket to the size class that it is in.
func TestSize(t *testing.T) {
	const class = 80
	if n := reflect.TypeFor[Socket]().Size(); n > class {
		t.Errorf("a Socket takes %d bytes, more than %d", n, class)
	}
}
