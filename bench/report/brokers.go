package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A broker is a process of redis-server or nats-server.
type broker struct {
	cmd     *exec.Cmd
	dir     string // which it may write to
	address string
	ended   chan struct{}
}

const (
	brokerTime = 10 * time.Second // how long a broker may take to start
	brokerTick = 5 * time.Millisecond
)

// startRedis starts a Redis server that keeps nothing on disk.
func (r *report) startRedis() (*broker, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	return r.startBroker("redis-server", func(*broker) (string, error) {
		return address, ping(address)
	}, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
}

// startNATS starts a NATS server, which chooses its port and writes it to a file.
func (r *report) startNATS() (*broker, error) {
	return r.startBroker(r.path("nats-server"), func(b *broker) (string, error) {
		text, err := os.ReadFile(filepath.Join(b.dir, fmt.Sprintf("nats-server_%d.ports", b.cmd.Process.Pid)))
		if err != nil {
			return "", err
		}
		var ports struct{ NATS []string }
		if err := json.Unmarshal(text, &ports); err != nil || len(ports.NATS) == 0 {
			return "", fmt.Errorf("its file of ports is %q", text)
		}
		return strings.TrimPrefix(ports.NATS[0], "nats://"), nil
	}, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", ".", "-js", "-sd", ".")
}

// startBroker starts a program in a directory of its own, and waits until address returns no
// error.
func (r *report) startBroker(name string, address func(*broker) (string, error), args ...string) (b *broker, err error) {
	b = &broker{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	if b.dir, err = os.MkdirTemp(r.dir, "broker-"); err != nil {
		return nil, err
	}
	var printed bytes.Buffer
	b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr = b.dir, &printed, &printed
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive the report
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(b.ended)
		b.cmd.Wait()
	}()
	for end := time.Now().Add(brokerTime); ; {
		if b.address, err = address(b); err == nil {
			return b, nil
		}
		select {
		case <-b.ended:
			return nil, fmt.Errorf("%s has ended:\n%s", name, printed.Bytes())
		case <-time.After(brokerTick):
		}
		if time.Now().After(end) {
			b.stop()
			return nil, fmt.Errorf("%s does not start: %w\n%s", name, err, printed.Bytes())
		}
	}
}

func (b *broker) stop() {
	b.cmd.Process.Kill()
	<-b.ended
	os.RemoveAll(b.dir)
}

// cpu returns the processor time that the broker's threads have used, in nanoseconds.
func (b *broker) cpu() (ns int64, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", b.cmd.Process.Pid))
	if err != nil || threads == nil {
		return 0, errors.Join(errors.New("the broker's threads are not to be seen"), err)
	}
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			return 0, err
		}
		used, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(used, 10, 64)
		if err != nil {
			return 0, err
		}
		ns += n
	}
	return ns, nil
}

// ping asks a Redis server whether it is there.
func ping(address string) error {
	nc, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Second))
	if _, err := nc.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, len("+PONG\r\n"))
	n, err := nc.Read(answer)
	if err == nil && string(answer[:n]) != "+PONG\r\n" {
		err = fmt.Errorf("it answers %q", answer[:n])
	}
	return err
}

// freePort returns a port of 127.0.0.1 on which nobody listens now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
