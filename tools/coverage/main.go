// Command coverage merges the cover profiles of several builds of the same packages and
// prints the share of covered statements of each file. It fails if a floor is not
// reached.
//
//	coverage -floors floors.txt default.cover purego.cover
//
// A statement is covered if at least one build ran it. If only one build
// compiles a file, the figures of that build count.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	floors := flag.String("floors", "", "`file` of floors, one \"path percent\" a line; none by default")
	flag.Parse()
	ok, err := run(os.Stdout, *floors, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run prints the report to w. It reports whether every floor is reached.
func run(w io.Writer, floorsName string, profileNames []string) (bool, error) {
	merged := profile{}
	for _, name := range profileNames {
		if err := readFile(name, merged.add); err != nil {
			return false, err
		}
	}
	var floors []floor
	if floorsName != "" {
		err := readFile(floorsName, func(r io.Reader) (err error) {
			floors, err = parseFloors(r)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return report(w, merged, floors), nil
}

// readFile calls read with the named file, and adds the name to the error.
func readFile(name string, read func(io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
