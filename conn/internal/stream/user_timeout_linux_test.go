package stream

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/internal/loop"
)

// The timeout reaches the socket, below TLS and on a loop too, and other streams bear it.
func TestSetUserTimeout(t *testing.T) {
	tcp, _ := sockets(t)
	below, _ := sockets(t)
	taken, _ := sockets(t)
	k := loop.NewKernel(taken)
	l := loop.New(k)
	defer l.Close()
	looped := l.Take(taken)
	defer looped.Close()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	for i, c := range []struct {
		nc     net.Conn
		socket func(f func(fd uintptr)) error // nil: there is none
	}{
		{tcp, controlOf(t, tcp)},
		{tls.Client(below, nil), controlOf(t, below)},
		{looped, looped.Control},
		{ours, nil},
		{tls.Client(ours, nil), nil},
	} {
		s := New(c.nc, nil)
		s.SetUserTimeout(7 * time.Second)
		if c.socket == nil {
			continue
		}
		ms, err := 0, error(nil)
		if e := c.socket(func(fd uintptr) {
			ms, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
		}); e != nil || err != nil || ms != 7000 {
			t.Errorf("stream %d: %d ms, %v, %v", i, ms, e, err)
		}
	}
}

func controlOf(t *testing.T, nc net.Conn) func(f func(fd uintptr)) error {
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw.Control
}
