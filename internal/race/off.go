//go:build !race

// Package race tells tests whether the race detector is on, which allocates,
// takes more stack and slows what is not concurrent.
package race

// Enabled reports whether the race detector is on.
const Enabled = false
