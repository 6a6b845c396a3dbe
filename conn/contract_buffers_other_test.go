//go:build !unix

package conn_test

import "syscall"

func bufferSize(int) func(_, _ string, raw syscall.RawConn) error { return nil }
