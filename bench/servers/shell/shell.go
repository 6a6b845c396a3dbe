// Package shell names what waits for the messages of Parley's connections: a
// goroutine for each, or an event loop. The report measures both.
package shell

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// The names of the shells.
const (
	Default    = "default" // the one that Parley chooses
	Goroutines = "goroutines"
	Loop       = "loop"
)

// names lists the shells that this version of Parley has.
var names = []string{Default, Goroutines}

// Known reports whether this version of Parley has a shell.
func Known(name string) bool { return slices.Contains(names, name) }

// Flag defines the flag -shell, with which a server is told its shell.
func Flag() *string {
	return flag.String("shell", Default, "the `name` of what waits for messages: "+strings.Join(names, ", "))
}

// Check returns an error if there is no shell of that name.
func Check(name string) error {
	if !Known(name) {
		return fmt.Errorf("there is no shell %q; there are: %s", name, strings.Join(names, ", "))
	}
	return nil
}
