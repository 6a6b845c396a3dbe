package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A book holds the expected verdicts and describes the runs from which they come.
// It is kept in the files expected.json and expected.meta.json in dir.
type book struct {
	dir      string
	expected map[role]verdicts
	meta     map[role]meta
}

// A meta describes the run from which the expected verdicts of a role come.
type meta struct {
	Suite    string `json:"suite"` // version of the suite
	Engine   string `json:"engine"`
	Date     string `json:"date"`
	Duration string `json:"duration"`
	Cases    int    `json:"cases"`
}

// load reads both files. If they do not exist, the book is empty.
func (b *book) load() error {
	b.expected, b.meta = make(map[role]verdicts), make(map[role]meta)
	for file, v := range map[string]any{"expected.json": &b.expected, "expected.meta.json": &b.meta} {
		if err := readJSON(filepath.Join(b.dir, file), v); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// write makes the outcome of a run the expected one. It refuses a run that lacks a
// case, and a run in which a verdict is not the best.
func (b *book) write(r role, got *outcome) error {
	var worse []string
	for _, id := range allCases {
		if v := got.results[id].verdict; v != best(id) {
			worse = append(worse, fmt.Sprintf("%s %s", id, v.orNone()))
		}
	}
	if len(worse) > 0 || len(got.results) != len(allCases) {
		return fmt.Errorf("not written, %d of %d cases are not at their best: %s", len(worse), len(allCases), strings.Join(worse, ", "))
	}
	b.expected[r] = got.verdicts()
	b.meta[r] = meta{
		Suite:    got.suite,
		Engine:   got.engine,
		Date:     got.started.UTC().Format(time.DateOnly),
		Duration: got.duration.Round(time.Second).String(),
		Cases:    len(got.results),
	}
	for file, v := range map[string]any{"expected.json": b.expected, "expected.meta.json": b.meta} {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.dir, file), append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON writes the cases in the order of the suite.
func (v verdicts) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for _, id := range allCases {
		if verdict, ok := v[id]; ok {
			fmt.Fprintf(&b, ",%q:%q", id, verdict)
		}
	}
	return append(append([]byte{'{'}, bytes.TrimPrefix(b.Bytes(), []byte{','})...), '}'), nil
}
