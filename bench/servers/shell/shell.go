// Package shell names what waits for the messages of Parley's connections: a
// goroutine for each, or an event loop. The report measures both.
package shell

import (
	"flag"
	"fmt"
	"os"

	"github.com/parleyws/parley/conn"
)

// The names of the shells.
const (
	Default    = "default" // goroutines for the first connections, and the loop for more
	Goroutines = "goroutines"
	Loop       = "loop"
)

// Flag defines the flag -shell, with which a server is told its shell.
func Flag() *string {
	return flag.String("shell", Default, fmt.Sprintf("what waits for messages: the `name` %s, %s or %s", Default, Goroutines, Loop))
}

// Of returns the Loop of the options of a shell. A name that is none ends the
// program.
func Of(name string) *conn.Loop {
	switch name {
	case Default:
		return nil
	case Goroutines:
		return &conn.Loop{After: -1}
	case Loop:
		return &conn.Loop{}
	}
	fmt.Fprintf(os.Stderr, "there is no shell %q\n", name)
	os.Exit(2)
	return nil
}
