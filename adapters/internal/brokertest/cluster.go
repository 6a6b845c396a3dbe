package brokertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// slots is the number of hash slots of a Redis cluster.
const slots = 16384

// A Cluster is a Redis cluster of three masters, each with a third of the slots, without
// replicas.
type Cluster struct{ Masters []*Server }

// RedisCluster starts a Redis cluster and waits until each node says that all is well.
// Further arguments are options of redis-server.
func RedisCluster(t testing.TB, options ...string) *Cluster {
	t.Helper()
	const masters = 3
	c := new(Cluster)
	for range masters {
		c.Masters = append(c.Masters, Redis(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-node-timeout", "5000",
		}, options...)...))
	}
	for i, s := range c.Masters {
		from, to := i*slots/masters, (i+1)*slots/masters-1
		must(t, s, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		must(t, s, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		if i > 0 {
			must(t, s, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(c.Masters[0].port))
		}
	}
	c.AwaitOK(t)
	return c
}

// Addrs returns the addresses of the masters.
func (c *Cluster) Addrs() []string { return addrs(c.Masters) }

// AwaitOK waits until each node says that all slots are served, that it knows all nodes, and
// that it has a link to each: a message that is published without one is lost.
func (c *Cluster) AwaitOK(t testing.TB) {
	t.Helper()
	for _, s := range c.Masters {
		await(t, "cluster_state:ok", func() error {
			info, err := s.Do("CLUSTER", "INFO")
			if err != nil {
				return err
			}
			for _, want := range []string{
				"cluster_state:ok\r\n", "cluster_slots_ok:16384\r\n",
				fmt.Sprintf("cluster_known_nodes:%d\r\n", len(c.Masters)), fmt.Sprintf("cluster_size:%d\r\n", len(c.Masters)),
			} {
				if text, _ := info.(string); !strings.Contains(text, want) {
					return errNot(info)
				}
			}
			nodes, err := s.Do("CLUSTER", "NODES")
			if text, _ := nodes.(string); err == nil && strings.Count(text, " connected ") != len(c.Masters) {
				err = errNot(nodes)
			}
			return err
		})
	}
}

func addrs(servers []*Server) (list []string) {
	for _, s := range servers {
		list = append(list, s.Addr())
	}
	return list
}

// must sends a command that has to succeed.
func must(t testing.TB, s *Server, command ...string) any {
	t.Helper()
	got, err := s.Do(command...)
	if err != nil {
		t.Fatalf("brokertest: %s: %v", strings.Join(command, " "), err)
	}
	return got
}
