package faulttest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Defaults says that docs/security.md has the defaults of a package's Options, and no other
// fields of them. Fields are given by their names, with an int or a time.Duration each. The
// working directory is that of a module two below the repository's.
func Defaults(t *testing.T, pkg string, fields map[string]any) {
	t.Helper()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ") // what is limited, default, option, ...
		if len(cells) < 4 {
			continue
		}
		name, ok := strings.CutPrefix(cells[2], "`"+pkg+".Options.")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "`")
		if value, known := fields[name]; !known || !strings.HasPrefix(cells[1]+";", text(value)+";") {
			t.Errorf("the page has %q for %s, and the default is %s", cells[1], name, text(value))
		}
		delete(fields, name)
	}
	for name := range fields {
		t.Errorf("the page has no row for %s", name)
	}
}

// text is a default as the page writes it.
func text(v any) string {
	switch v := v.(type) {
	case time.Duration:
		return fmt.Sprintf("%g s", v.Seconds())
	case int:
		switch {
		case v >= 1<<20 && v%(1<<20) == 0:
			return fmt.Sprintf("%d MiB", v>>20)
		case v >= 1000:
			return fmt.Sprintf("%d,%03d", v/1000, v%1000)
		}
	}
	return fmt.Sprint(v)
}
