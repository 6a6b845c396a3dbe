//go:build race

// Package race tells tests whether the race detector is on. Tests of allocations,
// of stack sizes and of speed need to know, because the detector changes all
// three.
package race

// Enabled reports whether the race detector is on.
const Enabled = true
