package natsadapter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/internal/faulttest"
	natsadapter "github.com/parleyws/parley/adapters/nats"
)

// A natsServer is a NATS server in a process of its own, always on the same port.
type natsServer struct {
	t  testing.TB
	at int
	*process
}

func newNATSServer(t testing.TB) *natsServer {
	s := &natsServer{t: t, at: brokertest.FreePort(t)}
	s.Restart()
	return s
}

func (s *natsServer) Addr() string { return fmt.Sprint("127.0.0.1:", s.at) }
func (s *natsServer) Kill()        { s.kill() }
func (s *natsServer) Restart()     { s.process = fork(s.t, fmt.Sprint("server ", s.at)) }
func (s *natsServer) Pause()       { pause(s.process) }
func (s *natsServer) Resume()      { resume(s.process) }

// Whatever the NATS server does, the adapter goes on.
func TestBrokenBroker(t *testing.T) {
	s := faulttest.Suite{
		Broker: func(t *testing.T) faulttest.Broker { return newNATSServer(t) },
		Node: func(t *testing.T, addr string, wait time.Duration) faulttest.Node {
			c, err := natsadapter.New("nats://"+addr, &natsadapter.Options{Logger: quiet(), RequestTime: wait})
			if err != nil {
				t.Fatal(err)
			}
			return faulttest.Node{Adapter: c.Adapter, Ready: c.Ready, Close: c.Close, Handed: true, Stats: func() faulttest.Stats {
				s := c.Stats()
				return faulttest.Stats{Published: s.Published, Dropped: s.Dropped, Gaps: s.Gaps}
			}}
		},
	}
	s.Gaps.Kill, s.Gaps.Cut = 1, 1
	faulttest.Run(t, s)
}
