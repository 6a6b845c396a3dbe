//go:build !linux

package loop

import "net"

// newKernel returns nil: there is none for this system.
func newKernel(net.Conn) Kernel { return nil }
