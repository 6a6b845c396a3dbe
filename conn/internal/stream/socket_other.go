//go:build !unix

package stream

import "net"

// polledOf says that sockets can't be tried on this system.
func polledOf(net.Conn) endpoint { return nil }
