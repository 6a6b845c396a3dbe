//go:build unix

package conn_test

import "syscall"

// bufferSize returns what sets the size of a socket's buffers before it is
// connected: later the window that TCP has offered can't be taken back.
func bufferSize(size int) func(_, _ string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) (err error) {
		raw.Control(func(fd uintptr) {
			if err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size); err == nil {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, size)
			}
		})
		return err
	}
}
