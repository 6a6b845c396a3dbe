package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A block is a sequence of statements in a file that always run together.
type block struct {
	file string // import path and file name
	span string // "line.column,line.column"
}

// A tally says how many statements a block has and whether they ran.
type tally struct {
	statements int
	covered    bool
}

// A profile holds the union of the blocks of several cover profiles.
type profile map[block]tally

// add reads a profile of "go test -coverprofile". After the line with the mode it has a
// line "file:span statements count" for each block.
func (p profile) add(r io.Reader) error {
	lines := bufio.NewScanner(r)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "mode: ") {
		return fmt.Errorf("not a cover profile")
	}
	for lines.Scan() {
		if err := p.addLine(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (p profile) addLine(line string) error {
	fields := strings.Fields(line)
	colon := strings.LastIndexByte(line, ':')
	if len(fields) != 3 || colon < 0 || colon >= len(fields[0]) {
		return fmt.Errorf("not a block: %q", line)
	}
	statements, err := strconv.Atoi(fields[1])
	if err != nil {
		return fmt.Errorf("statements of %q: %w", line, err)
	}
	count, err := strconv.ParseUint(fields[2], 10, 64)
	if err != nil {
		return fmt.Errorf("count of %q: %w", line, err)
	}
	b := block{file: fields[0][:colon], span: fields[0][colon+1:]}
	p[b] = tally{statements, count > 0 || p[b].covered}
	return nil
}

// A share is a number of covered statements and the number of all statements.
type share struct{ covered, statements int }

// percent returns the share in percent. It is 100 if there are no statements.
func (s share) percent() float64 {
	if s.statements == 0 {
		return 100
	}
	return 100 * float64(s.covered) / float64(s.statements)
}

// files returns the share of each file.
func (p profile) files() map[string]share {
	shares := map[string]share{}
	for b, t := range p {
		s := shares[b.file]
		s.statements += t.statements
		if t.covered {
			s.covered += t.statements
		}
		shares[b.file] = s
	}
	return shares
}
