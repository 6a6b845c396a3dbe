package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A floor is the least share of statements that must be covered, in percent, in a file
// or in all files of a package.
type floor struct {
	path    string // the end of an import path, such as "frame" or "conn/life.go"
	percent float64
}

// parseFloors reads a "path percent" from each line. It ignores empty lines and
// the text after a #.
func parseFloors(r io.Reader) ([]floor, error) {
	var floors []floor
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("not a path and a percentage: %q", lines.Text())
		}
		percent, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return nil, fmt.Errorf("floor of %s: %w", fields[0], err)
		}
		floors = append(floors, floor{fields[0], percent})
	}
	return floors, lines.Err()
}

// holds reports whether the floor's path names file or a package that contains it.
func (f floor) holds(file string) bool {
	if path.Ext(f.path) != ".go" {
		file = path.Dir(file)
	}
	return strings.HasSuffix("/"+file, "/"+f.path)
}

// report prints the share of each file, and the floors that are not reached. A
// floor without any file counts as not reached, because its path is wrong or
// its test is gone.
func report(w io.Writer, p profile, floors []floor) bool {
	shares := p.files()
	files := slices.Sorted(maps.Keys(shares))
	for _, file := range files {
		s := shares[file]
		fmt.Fprintf(w, "%6.1f %%  %5d of %5d  %s\n", s.percent(), s.covered, s.statements, file)
	}
	ok := true
	for _, f := range floors {
		var all share
		found := false
		for _, file := range files {
			if f.holds(file) {
				found = true
				all.covered += shares[file].covered
				all.statements += shares[file].statements
			}
		}
		switch {
		case !found:
			fmt.Fprintf(w, "%s: in no profile, floor %g %%\n", f.path, f.percent)
			ok = false
		case all.percent() < f.percent:
			fmt.Fprintf(w, "%s: %.1f %% is below the floor of %g %%\n", f.path, all.percent(), f.percent)
			printGaps(w, p, f)
			ok = false
		}
	}
	return ok
}

// printGaps lists the blocks in files of f that no build ran.
func printGaps(w io.Writer, p profile, f floor) {
	var gaps []string
	for b, t := range p {
		if !t.covered && f.holds(b.file) {
			gaps = append(gaps, "  not run: "+b.file+":"+b.span)
		}
	}
	slices.Sort(gaps)
	for _, g := range gaps {
		fmt.Fprintln(w, g)
	}
}
