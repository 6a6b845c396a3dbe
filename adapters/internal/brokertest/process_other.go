//go:build !linux

package brokertest

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
