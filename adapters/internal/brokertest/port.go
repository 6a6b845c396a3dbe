package brokertest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports lie below the range from which the system chooses by itself (on Linux from
// 32768 on). There a client that dials a broker which is away could get its own port, and
// be connected with itself. A node of a cluster also uses the port that is busOffset higher.
const (
	lowestPort = 10240
	ports      = 12000
	busOffset  = 10000
)

// FreePort returns a port of 127.0.0.1 on which nobody listens, nor on that of the bus. It
// may be taken before its use.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := lowestPort + rand.IntN(ports)
		if isFree(port) && isFree(port+busOffset) {
			return port
		}
	}
	t.Fatal("brokertest: no free port")
	return 0
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
