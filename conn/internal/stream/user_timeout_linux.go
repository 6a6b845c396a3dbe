package stream

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not name on
// every architecture (tcp(7)).
const tcpUserTimeout = 18

// setUserTimeout sets TCP_USER_TIMEOUT. It does nothing on other than TCP sockets.
func setUserTimeout(s endpoint, d time.Duration) {
	s.control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d/time.Millisecond))
	})
}
