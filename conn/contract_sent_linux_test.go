package conn_test

import (
	"net"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// waitSent waits until all that was written to a socket has arrived at the other end. On a busy
// machine the kernel may still hold some of it after Write has returned, and a reset drops that.
func waitSent(t testing.TB, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for {
		var held int32
		var errno syscall.Errno
		err := raw.Control(func(fd uintptr) {
			_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&held)))
		})
		if err != nil || errno != 0 {
			t.Fatal(err, errno)
		}
		if held == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
