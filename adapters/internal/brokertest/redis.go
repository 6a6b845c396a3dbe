// Package brokertest starts message brokers for tests: processes of their own that listen on
// free ports of 127.0.0.1, keep what they know in temporary folders, and end with the test,
// on Linux even if the test panics.
//
// The functions skip a test if the broker's program is missing, or fail it if the
// environment variable PARLEY_BROKERS is "required". Tests are failed if a broker does not
// do what it is asked for within 30 s, or for another master within 90 s.
package brokertest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A Server is a process of redis-server. Its methods are called by one goroutine at a time,
// but for Addr and Do, which any may call.
type Server struct {
	p    process
	port int
}

// Redis starts a Redis server that keeps nothing on disk, and waits until it answers.
// Further arguments are options of redis-server, such as "--maxmemory", "100mb".
func Redis(t testing.TB, options ...string) *Server {
	t.Helper()
	return startServer(t, func(dir string, port int) []string {
		return append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
		}, options...)
	})
}

// startServer starts redis-server with the arguments that are returned for a folder and a
// port.
func startServer(t testing.TB, args func(dir string, port int) []string) *Server {
	t.Helper()
	path := redisPath(t)
	for range 10 {
		dir, port := t.TempDir(), FreePort(t)
		log, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{process{t: t, path: path, args: args(dir, port), log: log}, port}
		t.Cleanup(func() {
			s.p.end(os.Kill)
			log.Close()
		})
		s.p.start()
		if s.answers() {
			return s
		}
		s.p.end(os.Kill) // perhaps somebody else has got the port
		t.Logf("brokertest: redis-server has ended:\n%s", s.p.printed())
	}
	t.Fatal("brokertest: redis-server doesn't start")
	return nil
}

// redisPath returns where redis-server is.
func redisPath(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	if os.Getenv("PARLEY_BROKERS") == "required" {
		t.Fatal("brokertest: redis-server is missing, and PARLEY_BROKERS is \"required\"")
	}
	t.Skip("redis-server is missing (Debian's package redis-server)")
	return ""
}

// answers waits until the server answers. It returns false if it has ended.
func (s *Server) answers() (running bool) {
	s.p.t.Helper()
	await(s.p.t, "redis-server to answer", func() error {
		if running = !s.p.hasEnded(); !running {
			return nil
		}
		got, err := do(s.Addr(), time.Second, "PING")
		if err == nil && got != "PONG" {
			err = errNot(got)
		}
		return err
	})
	return running
}

// Addr returns the server's address, "127.0.0.1:PORT". It is the same after a restart.
func (s *Server) Addr() string { return address(s.port) }

// Do sends a command on a connection of its own and returns the reply: a string, an int64, nil
// or a []any of those. A reply that is an error is returned as one. It waits 5 s at most.
func (s *Server) Do(command ...string) (any, error) { return do(s.Addr(), 5*time.Second, command...) }

// Stop ends the server by SIGTERM, if it runs, and waits for its end.
func (s *Server) Stop() {
	s.p.t.Helper()
	s.p.end(syscall.SIGTERM)
}

// Kill ends the server by SIGKILL, if it runs, and waits for its end.
func (s *Server) Kill() {
	s.p.t.Helper()
	s.p.end(os.Kill)
}

// Restart starts the server again, on the same port, and waits until it answers. If the
// server still runs it is stopped before.
func (s *Server) Restart() {
	s.p.t.Helper()
	s.Stop()
	for range 10 {
		s.p.start()
		if s.answers() {
			return
		}
		s.p.end(os.Kill)
	}
	s.p.t.Fatalf("brokertest: redis-server doesn't start again:\n%s", s.p.printed())
}

// Pause stops the server by SIGSTOP. Its connections stay, and nothing is answered. The test is
// skipped on systems that can't do that.
func (s *Server) Pause() {
	s.p.t.Helper()
	if !canPause {
		s.p.t.Skip("processes can't be stopped here")
	}
	s.signal(pause)
}

// Resume makes the server go on after Pause.
func (s *Server) Resume() {
	s.p.t.Helper()
	s.signal(resume)
}

func (s *Server) signal(f func(*os.Process) error) {
	s.p.t.Helper()
	err := errors.New("it doesn't run")
	if s.p.running != nil {
		err = f(s.p.running)
	}
	if err != nil {
		s.p.t.Fatalf("brokertest: redis-server: %v", err)
	}
}
