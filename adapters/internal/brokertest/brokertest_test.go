package brokertest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// real skips a test that starts servers, unless all the tests of adapters are run.
func real(t *testing.T) {
	t.Helper()
	if os.Getenv("PARLEY_BROKERS") != "required" {
		t.Skip("takes its time: see ./check cluster")
	}
}

// ask sends a command that has to succeed, and compares the reply.
func ask(t *testing.T, s *Server, want any, command ...string) {
	t.Helper()
	if got, err := s.Do(command...); err != nil || got != want {
		t.Errorf("%q: %v, %v; want %v", command, got, err, want)
	}
}

func TestRedis(t *testing.T) {
	real(t)
	s := Redis(t, "--maxmemory", "64mb")
	ask(t, s, "OK", "SET", "k", "v\r\n")
	ask(t, s, "v\r\n", "GET", "k")
	ask(t, s, nil, "GET", "other")
	ask(t, s, int64(1), "DEL", "k")
	got, err := s.Do("CONFIG", "GET", "maxmemory")
	if list, _ := got.([]any); err != nil || len(list) != 2 || list[1] != "67108864" {
		t.Errorf("maxmemory: %v, %v", got, err)
	}
	if _, err := s.Do("NONSENSE"); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("NONSENSE: %v", err)
	}
	addr := s.Addr()
	for _, end := range []func(){s.Stop, s.Kill} {
		ask(t, s, "OK", "SET", "k", "v")
		end()
		if got, err := s.Do("PING"); err == nil {
			t.Errorf("it answers %v after its end", got)
		}
		s.Restart()
		ask(t, s, nil, "GET", "k")
		if s.Addr() != addr {
			t.Errorf("the address is %s after a restart, was %s", s.Addr(), addr)
		}
	}
}

func TestPause(t *testing.T) {
	real(t)
	s := Redis(t)
	s.Pause()
	var timeout net.Error
	if got, err := do(s.Addr(), 50*time.Millisecond, "PING"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a paused server answers %v, %v", got, err)
	}
	s.Resume()
	ask(t, s, "PONG", "PING")
	s.Pause()
	s.Stop()
	s.Restart()
	ask(t, s, "PONG", "PING")
	s.Pause() // and the test ends nevertheless
}

func TestCluster(t *testing.T) {
	real(t)
	c := RedisCluster(t)
	if len(c.Addrs()) != 3 {
		t.Fatalf("addresses %q", c.Addrs())
	}
	served := 0
	for _, s := range c.Masters {
		if _, err := s.Do("SET", "k", "v"); err == nil {
			served++
		} else if !strings.HasPrefix(err.Error(), "MOVED ") {
			t.Error(err)
		}
	}
	if served != 1 {
		t.Errorf("%d masters have the key", served)
	}
	c.Masters[1].Kill()
	c.Masters[1].Restart()
	c.AwaitOK(t)
}

func TestFailover(t *testing.T) {
	real(t)
	f := RedisFailover(t)
	if len(f.Addrs()) != 3 {
		t.Fatalf("addresses %q", f.Addrs())
	}
	first := f.Servers[0]
	ask(t, first, "OK", "SET", "k", "v")
	ask(t, first, int64(1), "WAIT", "1", "5000")
	master, killed := f.KillMaster(t)
	if killed != first || master == first {
		t.Error("the wrong server was killed")
	}
	ask(t, master, "v", "GET", "k")
	f.Rejoin(t, killed)
	if got, _ := f.Switch(t); got != first {
		t.Error("the servers have not changed places")
	}
	ask(t, first, "v", "GET", "k")
	ask(t, first, "OK", "SET", "k", "w")
}

func TestProxy(t *testing.T) {
	real(t)
	s := Redis(t)
	p := NewProxy(t, s.Addr())
	c := dial(t, p)
	ping(t, c)
	const delay = 50 * time.Millisecond
	p.Delay(delay)
	begun := time.Now()
	for range 100 { // what is sent together is delayed together
		io.WriteString(c, "PING\r\n")
	}
	r := bufio.NewReader(c)
	for range 100 {
		if got, err := r.ReadString('\n'); got != "+PONG\r\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if took := time.Since(begun); took < 2*delay || took > 100*delay {
		t.Errorf("100 commands took %v with %v of delay each way", took, delay)
	}
	p.Delay(0)
	p.Refuse()
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		c.Close()
		t.Error("a connection was not refused")
	}
	ping(t, c)
	p.Cut()
	wantEnd(t, c)
	p.Accept()
	c = dial(t, p)
	ping(t, c)
	s.Kill() // the end of the one side ends the other
	wantEnd(t, c)
	wantEnd(t, dial(t, p))
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func ping(t *testing.T, c net.Conn) {
	t.Helper()
	io.WriteString(c, "PING\r\n")
	got := make([]byte, 7)
	if _, err := io.ReadFull(c, got); string(got) != "+PONG\r\n" {
		t.Fatalf("%q, %v", got, err)
	}
}

func wantEnd(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection goes on: %d, %v", n, err)
	}
}

// A server ends with its test's process, even if that panics. The test runs itself.
func TestPanic(t *testing.T) {
	if os.Getenv("PARLEY_BROKERTEST_PANIC") != "" {
		os.Stdout.WriteString("address " + Redis(t).Addr() + "\n")
		go func() { panic("as a test does") }()
		select {}
	}
	if attributes() == nil {
		t.Skip("only on Linux")
	}
	redisPath(t)
	c := exec.Command(os.Args[0], "-test.run=^TestPanic$", "-test.v")
	c.Env = append(os.Environ(), "PARLEY_BROKERTEST_PANIC=1")
	out, err := c.CombinedOutput()
	if err == nil {
		t.Fatalf("it has not panicked: %s", out)
	}
	_, after, _ := strings.Cut(string(out), "address ")
	addr, _, found := strings.Cut(after, "\n")
	if !found {
		t.Fatalf("no address: %s", out)
	}
	await(t, "the server's end", func() error {
		got, err := do(addr, time.Second, "PING")
		if err == nil {
			return errNot(got)
		}
		return nil
	})
}

func TestReply(t *testing.T) {
	for in, want := range map[string]string{
		"-ERR x\r\n":       "ERR x",
		"":                 "EOF",
		"\r\n":             "brokertest: an empty line instead of a reply",
		":x\r\n":           `brokertest: the reply ":x"`,
		"%1\r\n":           `brokertest: the reply "%1"`,
		"$3\r\nab":         "unexpected EOF",
		"*2\r\n+a\r\n":     "EOF",
		"*1\r\n-ERR y\r\n": "ERR y",
	} {
		if got, err := reply(bufio.NewReader(strings.NewReader(in))); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want the error %q", in, got, err, want)
		}
	}
}
