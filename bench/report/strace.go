package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// systemCalls counts the system calls for a message. The run is short, because
// tracing makes a server slow.
func (r *report) systemCalls(servers []*server, loads []load) error {
	if _, err := exec.LookPath("strace"); err != nil {
		r.absent["L3 "+string(calls)] = "there is no strace on this machine (Debian's package strace)"
		return nil
	}
	for _, l := range loads {
		if l.crowded || l.one {
			continue
		}
		r.progress("loopback: %s, system calls", l.id)
		l.work.Seconds = min(0.2, r.seconds)
		if err := put(l.place, r.load, servers); err != nil {
			return err
		}
		for _, s := range servers {
			n, messages, err := r.traced(s, l.target, l.work)
			if strings.HasPrefix(s.name, us) && err != nil {
				r.absent["L3 "+string(calls)] = "strace: " + err.Error()
				return nil
			}
			if err != nil {
				r.excuse("system calls of "+l.id, s.name, err)
				continue
			}
			r.add(l.id, s.name, calls, float64(n)/float64(messages))
		}
	}
	return nil
}

// traced runs a load under strace and returns how many system calls the server
// made.
func (r *report) traced(s *server, t target, w work) (n, messages int, err error) {
	t.Address = s.address
	if err := r.load.connect(t); err != nil {
		return 0, 0, err
	}
	defer r.load.close()
	file := r.path("strace")
	cmd := exec.Command("strace", "-c", "-f", "-o", file, "-p", strconv.Itoa(s.Pid()))
	attached, err := cmd.StderrPipe()
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	first, err := bufio.NewReader(attached).ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		cmd.Wait()
		return 0, 0, fmt.Errorf("it said %q", first)
	}
	o, err := r.load.drive(s, w)
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if err != nil {
		return 0, 0, err
	}
	octets, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	return totalCalls(string(octets)), o.Messages, nil
}

// totalCalls returns the number of calls in a table of strace -c, whose fourth
// column counts the calls.
func totalCalls(table string) (n int) {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[len(fields)-1] == "total" {
			continue
		}
		if calls, err := strconv.Atoi(fields[3]); err == nil {
			n += calls
		}
	}
	return n
}
