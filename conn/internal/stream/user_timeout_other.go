//go:build !linux

package stream

import "time"

// setUserTimeout does nothing: this system has no such option.
func setUserTimeout(endpoint, time.Duration) {}
