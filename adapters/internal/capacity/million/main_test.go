package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/scaling.md shows what the command prints.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../../../docs/scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(nil, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), out.String()) {
		t.Errorf("docs/scaling.md does not have what the command prints:\n%s", out.String())
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-none"}, {"-nodes", "0"}, {"-clients", "0"}, {"-every", "0s"}, {"-processors", "0"}, {"-network", "0"}, {"-rooms", "2,x"}, {"-rooms", "1"},
	} {
		if err := run(args, new(strings.Builder)); err == nil {
			t.Errorf("run %q: no error", args)
		}
	}
}
