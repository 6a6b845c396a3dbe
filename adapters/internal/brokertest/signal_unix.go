//go:build unix

package brokertest

import (
	"os"
	"syscall"
)

const canPause = true

func pause(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
