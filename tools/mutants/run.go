package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A fate is what has become of a mutant.
type fate uint8

const (
	killed      fate = iota // a test has failed, or has not ended
	lives                   // all tests pass
	unbuildable             // it is no program: it does not count
)

// A target is a package that is changed, and the packages whose tests judge it.
type target struct {
	dir   string
	tests []string // directories
	limit time.Duration
}

// newTarget runs the tests once as they are, to find out how long they take.
func newTarget(dir string, tests []string) (*target, error) {
	t := &target{dir: dir, tests: tests, limit: time.Hour}
	start := time.Now()
	if err := t.test(""); err != nil {
		return nil, fmt.Errorf("%s: the tests fail without a change: %w", dir, err)
	}
	t.limit = 10*time.Second + 4*time.Since(start)
	return t, nil
}

// errBuild says that what was built is no program.
var errBuild = errors.New("it does not build")

// test runs the tests with an overlay, see go help build; "" is none.
func (t *target) test(overlay string) error {
	for _, dir := range t.tests {
		if err := t.testOne(dir, overlay); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) testOne(dir, overlay string) error {
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	binary := filepath.Join(folder, "test")
	if out, err := exec.Command("go", "test", "-overlay", overlay, "-vet=off", "-c", "-o", binary, "./"+dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", errBuild, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.limit)
	defer cancel()
	c := exec.CommandContext(ctx, binary, "-test.failfast", "-test.short", "-test.timeout", t.limit.String())
	c.Dir = dir
	c.WaitDelay = time.Second
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %.300s", err, out)
	}
	return nil
}

// try finds out what becomes of a mutant. The files of the working tree are not touched.
func (t *target) try(m *mutant) (fate, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return 0, err
	}
	changed := m.apply(source)
	if !parses(changed) {
		return unbuildable, nil
	}
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	copied := filepath.Join(folder, filepath.Base(m.file))
	if err := os.WriteFile(copied, changed, 0o600); err != nil {
		return 0, err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return 0, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		return 0, err
	}
	name := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o600); err != nil {
		return 0, err
	}
	switch err := t.test(name); {
	case errors.Is(err, errBuild):
		return unbuildable, nil
	case err != nil:
		return killed, nil
	}
	return lives, nil
}

// sources returns the files of a package that are built here, but for tests and cgo.
func sources(dir string) ([]string, error) {
	out, err := exec.Command("go", "list", "-f", `{{join .GoFiles "\n"}}`, "./"+dir).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", dir, err)
	}
	var files []string
	for name := range strings.FieldsSeq(string(out)) {
		files = append(files, filepath.Join(dir, name))
	}
	return files, nil
}
