package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// inMemory runs the benchmarks of this module, and those of package text, which
// is internal. Each round runs each benchmark once, Parley and its rivals in
// turn.
func (r *report) inMemory() error {
	rounds := 2*r.rounds - 1 // they are short
	for round := range rounds {
		r.progress("in memory: round %d of %d", round+1, rounds)
		if err := r.benchmarks("bench.test", "^BenchmarkP[0-9]"); err != nil {
			return err
		}
		if err := r.benchmarks("text.test", "^BenchmarkUTF8(Std)?$/^(ascii|cjk)$/^(1024|65536)$"); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) benchmarks(program, pattern string) error {
	args := []string{"-test.run=^$", "-test.bench=" + pattern, "-test.benchtime=" + r.bench}
	if r.short {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(r.path(program), args...)
	cmd.Dir = r.dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var all strings.Builder
	n := r.readBenchmarks(io.TeeReader(out, &all))
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, &all)
	}
	if n == 0 {
		return fmt.Errorf("%s ran no benchmark", program)
	}
	return nil
}

// benchLine is a line such as "BenchmarkP5/gobwas/16-2  1000  20.1 ns/op".
var benchLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// readBenchmarks adds the figures in the output of benchmarks, and returns
// their number.
func (r *results) readBenchmarks(out io.Reader) (n int) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		m := benchLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		n++
		work, lib := benchName(m[1])
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			switch fields[i+1] {
			case "ns/op":
				r.add(work, lib, nanoseconds, v)
			case "allocs/op":
				r.add(work, lib, allocations, v)
			case "writes/op":
				r.add(work, lib, writes, v)
			}
		}
	}
	return n
}

// benchName splits the name of a benchmark: P5/gobwas/16 is the work P5/16 and
// the library gobwas. The benchmarks of package text are Parley's, except those
// that begin with UTF8Std.
func benchName(name string) (work, lib string) {
	first, rest, _ := strings.Cut(name, "/")
	switch first {
	case "UTF8":
		return name, us
	case "UTF8Std":
		return "UTF8/" + rest, "utf8.Valid"
	}
	lib, rest, more := strings.Cut(rest, "/")
	if more {
		return first + "/" + rest, lib
	}
	return first, lib
}
