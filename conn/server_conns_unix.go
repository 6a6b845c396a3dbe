//go:build unix

package conn

import "syscall"

// passing are errors of Accept that pass and that package net does not take for
// such: the client has gone, or the kernel has no memory for another socket.
var passing = []error{syscall.ECONNABORTED, syscall.ECONNRESET, syscall.ENOBUFS, syscall.ENOMEM}
