package brokertest

import "syscall"

// attributes makes the program end with the test, even if the test panics.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
