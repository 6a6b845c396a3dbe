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
	"slices"
	"strconv"
	"strings"
	"sync"
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
	dir     string
	program *program
	suites  []*suite
	known   func(*mutant) bool // whether a mutant is known to live, and is not tried
}

// newTarget runs all tests as they are. That they fail is an error.
func newTarget(dir string, tests []string) (*target, error) {
	p, err := load(dir)
	if err != nil {
		return nil, err
	}
	t := &target{dir: dir, program: p}
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

// run runs a binary of tests with one of its mutants on; 0 is none. A changed program may want all memory there is, and never end.
func run(binary, dir string, limit time.Duration, on int, args ...string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+5*time.Second)
	defer cancel()
	const limited = `ulimit -v 16000000; exec "$0" "$@"` // KiB
	args = append([]string{"-c", limited, binary, "-test.failfast", "-test.timeout", limit.String()}, args...)
	c := exec.CommandContext(ctx, "sh", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), onEnv+"="+strconv.Itoa(on))
	c.WaitDelay = time.Second
	b, err := c.CombinedOutput()
	return string(b), err
}

// An outcome is what has become of one mutant.
type outcome struct {
	m    *mutant
	fate fate
	by   string // the test that has killed it
	err  error
}

// tryTogether finds out what becomes of the mutants of a schema, by a crew. It returns when the last
// one has begun, so that the next schema is built while those that live are given all tests. What it returns
// must be tried alone, since together they are no program.
func (t *target) tryTogether(s *schema, c *crew, end time.Time, report func(outcome)) (alone []*mutant, err error) {
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	var left sync.WaitGroup
	defer c.Go(func() {
		left.Wait()
		os.RemoveAll(folder)
	})
	s.sources[filepath.Join(t.dir, onFile)] = fmt.Appendf(nil, onSource, s.name)
	overlay, err := writeOverlay(folder, s.sources)
	if err != nil {
		return nil, err
	}
	var binaries []*binary
	for i, of := range t.suites {
		b := &binary{suite: of, name: filepath.Join(folder, strconv.Itoa(i)), many: true}
		if err := build(b.name, of.dir, "-overlay", overlay); err != nil {
			return s.mutants, nil // it is none for the compiler
		}
		binaries = append(binaries, b)
	}
	for i, m := range s.mutants {
		left.Add(1)
		if !c.do(end, func() { defer left.Done(); report(t.tryOne(m, binaries, i+1)) }) {
			left.Done()
		}
	}
	return nil, nil
}

// tryOne finds out what becomes of one of the mutants of a schema, which is on by its number. It is tried
// alone if not all tests pass with all of them off.
func (t *target) tryOne(m *mutant, binaries []*binary, on int) outcome {
	if t.known(m) {
		return outcome{m: m, fate: lives}
	}
	doubtful := false
	for _, b := range binaries {
		tests := b.suite.reaching(m)
		if by := b.kill(tests, on); by != "" {
			return outcome{m: m, fate: killed, by: by}
		}
		doubtful = doubtful || slices.ContainsFunc(tests, b.isBroken)
	}
	if doubtful {
		return t.try(m)
	}
	return outcome{m: m, fate: lives}
}

// A crew calls functions, some at once.
type crew struct {
	sync.WaitGroup
	free chan struct{}
}

func newCrew(n int) *crew { return &crew{free: make(chan struct{}, n)} }

// do calls f by a goroutine as soon as one is free, unless that is after end.
func (c *crew) do(end time.Time, f func()) bool {
	c.free <- struct{}{}
	if time.Now().After(end) {
		<-c.free
		return false
	}
	c.Go(func() {
		defer func() { <-c.free }()
		f()
	})
	return true
}

// try finds out what becomes of one mutant.
func (t *target) try(m *mutant) outcome {
	if t.known(m) {
		return outcome{m: m, fate: lives}
	}
	if !t.program.isProgram(m) {
		return outcome{m: m, fate: unbuildable}
	}
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return outcome{err: err}
	}
	defer os.RemoveAll(folder)
	overlay, err := writeOverlay(folder, map[string][]byte{m.file: m.apply()})
	if err != nil {
		return outcome{err: err}
	}
	for i, s := range t.suites {
		tests := s.reaching(m)
		if len(tests) == 0 && i > 0 {
			continue
		}
		b := &binary{suite: s, name: filepath.Join(folder, "test")}
		if err := build(b.name, s.dir, "-overlay", overlay); err != nil {
			return outcome{m: m, fate: unbuildable}
		}
		if by := b.kill(tests, 0); by != "" {
			return outcome{m: m, fate: killed, by: by}
		}
	}
	return outcome{m: m, fate: lives}
}

// writeOverlay writes what go build -overlay reads to replace files. So the files of the
// working tree are not touched.
func writeOverlay(folder string, sources map[string][]byte) (name string, err error) {
	replace := map[string]string{}
	for file, source := range sources {
		copied := filepath.Join(folder, filepath.Base(file))
		if err := os.WriteFile(copied, source, 0o600); err != nil {
			return "", err
		}
		original, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		replace[original] = copied
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	name = filepath.Join(folder, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}

// A binary is the tests of a suite with a mutant, or with many of which one is on.
type binary struct {
	suite *suite
	name  string
	many  bool

	mu    sync.Mutex
	sound map[*test]bool // whether it passes with all mutants off; absent: not known
}

// kill returns the test that fails with a mutant on, or "". Quick tests go first, and those
// that have killed others: most mutants die in the first run. What fails must fail
// twice: a test that depends on the machine's load kills nothing.
func (b *binary) kill(tests []*test, on int) (by string) {
	for _, batch := range batches(tests) {
		for {
			batch = slices.DeleteFunc(slices.Clone(batch), b.isBroken)
			if len(batch) == 0 {
				break
			}
			out, err := b.run(batch, on)
			if err == nil {
				break
			}
			again := failed(out, batch)
			if _, err := b.run(again, on); err == nil {
				if _, err = b.run(batch, on); err == nil { // the rest of them
					break
				}
			}
			if b.isSound(again) {
				if len(again) == 1 {
					b.suite.credit(again[0])
				}
				return names(again)
			}
		}
	}
	return ""
}

// isSound reports whether tests pass with all mutants off.
func (b *binary) isSound(tests []*test) bool {
	if !b.many {
		return true
	}
	sound := true
	for _, t := range tests {
		b.mu.Lock()
		passes, known := b.sound[t]
		b.mu.Unlock()
		if !known {
			_, err := b.run([]*test{t}, 0)
			passes = err == nil
			b.mu.Lock()
			if b.sound == nil {
				b.sound = map[*test]bool{}
			}
			b.sound[t] = passes
			b.mu.Unlock()
		}
		sound = sound && passes
	}
	return sound
}

func (b *binary) isBroken(t *test) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	passes, known := b.sound[t]
	return known && !passes
}

// run runs some tests, for several times as long as they take without a change beside many others.
func (b *binary) run(tests []*test, on int) (out string, err error) {
	limit := 3 * time.Second
	for _, t := range tests {
		limit += 4 * t.took
	}
	return run(b.name, b.suite.dir, limit, on, "-test.run", "^("+names(tests)+")$")
}

func names(tests []*test) string {
	all := make([]string, len(tests))
	for i, t := range tests {
		all[i] = t.name
	}
	return strings.Join(all, "|")
}

// A test that has failed, that ran when the time was up, or that is on the stack of a panic.
var failure = regexp.MustCompile(`(?m)(?:^--- FAIL: |^running tests:\n\t|^\S+\.)((?:Test|Example|Fuzz)\w*)`)

// failed returns the test that the output says has failed, or all.
func failed(out string, tests []*test) []*test {
	for _, found := range failure.FindAllStringSubmatch(out, -1) {
		for _, t := range tests {
			if t.name == found[1] {
				return []*test{t}
			}
		}
	}
	return tests
}
