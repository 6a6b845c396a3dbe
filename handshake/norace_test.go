//go:build !race

package handshake

// raceEnabled tells that the race detector is on, which allocates.
const raceEnabled = false
