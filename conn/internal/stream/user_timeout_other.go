//go:build !linux

package stream

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing: this system has no such option.
func setUserTimeout(syscall.RawConn, time.Duration) {}
