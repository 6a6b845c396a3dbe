package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A fate is what has become of a mutant.
type fate uint8

const (
	killed      fate = iota // a test fails, or does not end
	lives                   // all tests pass
	unbuildable             // it is no program: it does not count
)

// A target is a package that is changed, and the suites whose tests judge it.
type target struct {
	dir    string
	suites []*suite
}

// newTarget runs all tests as they are. That they fail is an error.
func newTarget(dir string, tests []string) (*target, error) {
	t := &target{dir: dir}
	for _, of := range tests {
		s, err := newSuite(dir, of)
		if err != nil {
			return nil, err
		}
		t.suites = append(t.suites, s)
	}
	return t, nil
}

// errBuild says that what was built is no program.
var errBuild = errors.New("it does not build")

// build builds the tests of a package.
func build(binary, dir string, flags ...string) error {
	args := append([]string{"test", "-vet=off", "-ldflags=-s -w", "-c", "-o", binary}, flags...)
	if out, err := exec.Command("go", append(args, "./"+dir)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", errBuild, out)
	}
	return nil
}

// run runs a binary of tests. A changed program may want all memory there is, and never end.
func run(binary, dir string, limit time.Duration, args ...string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+5*time.Second)
	defer cancel()
	const limited = `ulimit -v 16000000; exec "$0" "$@"` // KiB
	args = append([]string{"-c", limited, binary, "-test.failfast", "-test.timeout", limit.String()}, args...)
	c := exec.CommandContext(ctx, "sh", args...)
	c.Dir = dir
	c.WaitDelay = time.Second
	b, err := c.CombinedOutput()
	return string(b), err
}

// try finds out what becomes of a mutant, and which test kills it. The files of the working
// tree are not touched.
func (t *target) try(m *mutant) (f fate, by string, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return 0, "", err
	}
	changed := m.apply(source)
	if !parses(changed) {
		return unbuildable, "", nil
	}
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, "", err
	}
	defer os.RemoveAll(folder)
	overlay, err := writeOverlay(folder, m.file, changed)
	if err != nil {
		return 0, "", err
	}
	for i, s := range t.suites {
		tests := s.reaching(m)
		if len(tests) == 0 && i > 0 {
			continue
		}
		binary := filepath.Join(folder, "test")
		if err := build(binary, s.dir, "-overlay", overlay); err != nil {
			return unbuildable, "", nil
		}
		if by := s.kill(binary, tests); by != "" {
			return killed, by, nil
		}
	}
	return lives, "", nil
}

// writeOverlay writes what go build -overlay reads to replace one file.
func writeOverlay(folder, file string, changed []byte) (name string, err error) {
	copied := filepath.Join(folder, filepath.Base(file))
	if err := os.WriteFile(copied, changed, 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		return "", err
	}
	name = filepath.Join(folder, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}

// kill returns the test that fails with the binary of a mutant, or "". Quick tests go first, and
// those that have killed others: most mutants die in the first of three runs. What fails must
// fail twice: a test that depends on the machine's load kills nothing.
func (s *suite) kill(binary string, tests []*test) (by string) {
	for _, batch := range batches(tests) {
		out, err := s.runTests(binary, batch)
		if err == nil {
			continue
		}
		again := failed(out, batch)
		if _, err := s.runTests(binary, again); err == nil {
			if _, err = s.runTests(binary, batch); err == nil { // the rest of them
				continue
			}
		}
		if len(again) == 1 {
			s.credit(again[0])
		}
		return names(again)
	}
	return ""
}

// runTests runs some tests, for several times as long as they take without a change.
func (s *suite) runTests(binary string, tests []*test) (out string, err error) {
	limit := 10 * time.Second
	for _, t := range tests {
		limit += 5 * t.took
	}
	return run(binary, s.dir, limit, "-test.run", "^("+names(tests)+")$")
}

func names(tests []*test) string {
	all := make([]string, len(tests))
	for i, t := range tests {
		all[i] = t.name
	}
	return strings.Join(all, "|")
}

// A test that has failed, or that ran when the time was up.
var failure = regexp.MustCompile(`(?m)^(?:--- FAIL:|running tests:\n\t*)\s*(\w+)`)

// failed returns the test that the output says has failed, or all.
func failed(out string, tests []*test) []*test {
	if found := failure.FindStringSubmatch(out); found != nil {
		for _, t := range tests {
			if t.name == found[1] {
				return []*test{t}
			}
		}
	}
	return tests
}
