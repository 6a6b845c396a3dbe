package brokertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// MasterName is the name by which the sentinels of RedisFailover know the master.
const MasterName = "parley"

// A Failover is a Redis master and its replica, watched by three sentinels.
type Failover struct {
	// Servers are the two servers. The first one is the master at the beginning.
	Servers   []*Server
	Sentinels []*Server
}

// RedisFailover starts a master, a replica and three sentinels, and waits until all of them
// know each other. The sentinels take a master for down that has not answered for 2 s.
func RedisFailover(t testing.TB, options ...string) *Failover {
	t.Helper()
	f := new(Failover)
	master := Redis(t, options...)
	replica := Redis(t, append([]string{"--replicaof", "127.0.0.1 " + strconv.Itoa(master.port)}, options...)...)
	f.Servers = []*Server{master, replica}
	for range 3 {
		s := sentinel(t, master.port)
		s.Do("SENTINEL", "DEBUG", "INFO-PERIOD", "500") // instead of 10 s; since Redis 7
		f.Sentinels = append(f.Sentinels, s)
	}
	awaitLink(t, replica)
	for _, s := range f.Sentinels {
		await(t, "the sentinels to know all", func() error {
			return has(s, "status=ok,address="+master.Addr()+",slaves=1,sentinels=3", "INFO", "sentinel")
		})
	}
	return f
}

// sentinel starts a sentinel. It keeps what it learns in the file of its configuration.
func sentinel(t testing.TB, master int) *Server {
	t.Helper()
	return startServer(t, func(dir string, port int) []string {
		name := filepath.Join(dir, "sentinel.conf")
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %q\n"+
			"sentinel monitor %[3]s 127.0.0.1 %[4]d 2\nsentinel down-after-milliseconds %[3]s 2000\n"+
			"sentinel failover-timeout %[3]s 3000\n", port, dir, MasterName, master)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{name, "--sentinel"}
	})
}

// Addrs returns the addresses of the sentinels.
func (f *Failover) Addrs() []string { return addrs(f.Sentinels) }

// Master returns the server that the sentinels take for the master, and the other one.
func (f *Failover) Master() (master, replica *Server, err error) {
	var addr string
	for i, s := range f.Sentinels {
		got, err := s.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
		if err != nil {
			return nil, nil, err
		}
		list, _ := got.([]any)
		if len(list) != 2 {
			return nil, nil, errNot(got)
		}
		this := fmt.Sprintf("%v:%v", list[0], list[1])
		if i > 0 && this != addr {
			return nil, nil, errors.New("the sentinels do not agree")
		}
		addr = this
	}
	switch addr {
	case f.Servers[0].Addr():
		return f.Servers[0], f.Servers[1], nil
	case f.Servers[1].Addr():
		return f.Servers[1], f.Servers[0], nil
	}
	return nil, nil, errNot(addr)
}

// KillMaster kills the master and waits until the replica has taken its place. It returns
// the new master and the server that was killed, for Rejoin.
func (f *Failover) KillMaster(t testing.TB) (master, killed *Server) {
	t.Helper()
	killed, heir := f.master(t)
	killed.Kill()
	f.awaitMaster(t, heir)
	return heir, killed
}

// Rejoin starts a server that was killed again, as the replica of the master, and waits until
// it has the master's data.
func (f *Failover) Rejoin(t testing.TB, killed *Server) {
	t.Helper()
	killed.Restart()
	for _, master := range f.Servers {
		if master != killed {
			must(t, killed, "REPLICAOF", "127.0.0.1", strconv.Itoa(master.port))
		}
	}
	awaitLink(t, killed)
}

func awaitLink(t testing.TB, replica *Server) {
	t.Helper()
	await(t, "the replica's link to the master", func() error {
		return has(replica, "master_link_status:up\r\n", "INFO", "replication")
	})
}

// Switch makes the two servers change places while both run, and waits until they have.
// It returns the new master and its replica. Neither server ends, but Redis closes the old
// master's connections.
func (f *Failover) Switch(t testing.TB) (master, replica *Server) {
	t.Helper()
	old, heir := f.master(t)
	awaitLink(t, heir)
	await(t, "the failover to begin", func() error { // it is refused while the replica is unknown
		_, err := f.Sentinels[0].Do("SENTINEL", "FAILOVER", MasterName)
		if err != nil && strings.HasPrefix(err.Error(), "INPROG") {
			err = nil
		}
		return err
	})
	f.awaitMaster(t, heir)
	// A sentinel does the same, but not before it has looked at the old master for some
	// seconds.
	must(t, old, "REPLICAOF", "127.0.0.1", strconv.Itoa(heir.port))
	for _, kind := range []string{"normal", "pubsub"} {
		if _, err := old.Do("CLIENT", "KILL", "TYPE", kind); err != nil {
			t.Fatalf("brokertest: CLIENT KILL: %v", err)
		}
	}
	awaitLink(t, old)
	return heir, old
}

func (f *Failover) master(t testing.TB) (master, replica *Server) {
	t.Helper()
	await(t, "a master", func() (err error) {
		master, replica, err = f.Master()
		return err
	})
	return master, replica
}

func (f *Failover) awaitMaster(t testing.TB, want *Server) {
	t.Helper()
	awaitFor(t, 3*patience, "the replica to become the master", func() error {
		got, _, err := f.Master()
		if err == nil && got != want {
			err = errNot(got.Addr())
		}
		if err != nil {
			return err
		}
		return has(want, "role:master\r\n", "INFO", "replication")
	})
}

// has returns an error unless the reply to a command contains a text.
func has(s *Server, want string, command ...string) error {
	got, err := s.Do(command...)
	if err != nil {
		return err
	}
	if text, _ := got.(string); !strings.Contains(text, want) {
		return errNot(got)
	}
	return nil
}
