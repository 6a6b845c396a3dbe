//go:build unix

package natsadapter_test

import "syscall"

func pause(p *process)  { p.signal(syscall.SIGSTOP) }
func resume(p *process) { p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
