package conn_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/parleyws/parley/conn"
)

// A process that the server's process starts inherits no descriptor of connections: neither
// of 100 on a loop, nor of those that come and go at that moment.
func TestDescriptorsStayHere(t *testing.T) {
	if _, err := exec.LookPath("cat"); err != nil {
		t.Skip(err)
	}
	processes := 100
	if testing.Short() || conn.RaceEnabled {
		processes = 20
	}
	for name, serve := range map[string]func(*conn.Server, net.Listener) func(){"net/http": serveHTTP, "ServeConns": serveRaw} {
		t.Run(name, func(t *testing.T) {
			want := inherited(t) // what this process has inherited itself, too
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer serve(echoOrClose(), l)()
			for n := range 100 {
				c := must(callFrom(l, n))
				defer c.nc.Close()
				c.open()
				if c.echo(); c.err != nil {
					t.Fatal(c.err)
				}
			}
			quit := make(chan struct{})
			var callers sync.WaitGroup
			for i := range 4 {
				callers.Go(func() {
					for n := i; ; n += 4 {
						select {
						case <-quit:
							return
						default:
						}
						if err := comeAndGo(l, n); err != nil {
							t.Errorf("connection %d: %v", n, err)
							return
						}
					}
				})
			}
			for range processes {
				if got := inherited(t); !slices.Equal(got, want) {
					t.Errorf("a process has inherited the descriptors %q, want %q", got, want)
				}
			}
			close(quit)
			callers.Wait()
		})
	}
}

// inherited starts a process and returns the descriptors that it has.
func inherited(t *testing.T) (descriptors []string) {
	t.Helper()
	cat := exec.Command("cat")
	in := must(cat.StdinPipe())
	out := must(cat.StdoutPipe())
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		cat.Wait()
	}()
	in.Write([]byte("x")) // when it comes back the process is what it is to be
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	folder := fmt.Sprintf("/proc/%d/fd", cat.Process.Pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Skip("no process is shown: ", err)
	}
	for _, e := range entries {
		name := e.Name()
		if len(name) > 1 || name > "2" { // no standard stream, of which each process has others
			target, _ := os.Readlink(filepath.Join(folder, name))
			name += " " + target
		}
		descriptors = append(descriptors, name)
	}
	return descriptors
}
