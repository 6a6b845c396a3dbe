//go:build unix

package natsadapter_test

import "syscall"

// pause returns when the process has stopped: until then it may still answer.
func pause(p *process) {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	_, err := syscall.Wait4(p.cmd.Process.Pid, nil, syscall.WUNTRACED, nil)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(p.cmd.Process.Pid, nil, syscall.WUNTRACED, nil)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func resume(p *process) { p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
