//go:build unix

package brokertest

import (
	"os"
	"syscall"
)

const canPause = true

// pause returns when the process, a child of this one, has stopped: until then it may still answer.
func pause(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	_, err := syscall.Wait4(p.Pid, nil, syscall.WUNTRACED, nil)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(p.Pid, nil, syscall.WUNTRACED, nil)
	}
	return err
}

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
