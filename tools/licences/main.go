// Command licences lists the modules that a program gets with Parley's modules, and their
// licences. It is run in the root of the repository:
//
//	licences [-write] docs/licences.md . adapters/redis parser/msgpack
//
// It compares the page with what it finds, and fails where they differ; with -write it writes
// the page. What is needed by tests only is not listed, as no program gets it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

const head = `# Licences

Parley has the [MIT licence](../LICENSE), and the modules of this repository too. These are the licences of the modules that a program gets
with each of them; the root module needs none but the standard library. ` + "`./check` compares this page with the files of those modules." + `

| Parley's module | needs | version | licence |
|---|---|---|---|
`

func main() {
	write := flag.Bool("write", false, "write the page")
	flag.Parse()
	if err := run(*write, flag.Arg(0), flag.Args()[min(1, flag.NArg()):]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(write bool, page string, dirs []string) error {
	var b bytes.Buffer
	b.WriteString(head)
	for _, dir := range dirs {
		if err := list(&b, dir); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	if write {
		return os.WriteFile(page, b.Bytes(), 0o644)
	}
	have, err := os.ReadFile(page)
	if err == nil && !bytes.Equal(have, b.Bytes()) {
		err = fmt.Errorf("%s is not what the modules say: -write writes it", page)
	}
	return err
}

// A module is what go list says of one.
type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

// list writes the rows of the module in dir.
func list(w *bytes.Buffer, dir string) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Module", "./...")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	needed := map[string]module{}
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module } // nil for a package of the standard library
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if m := p.Module; m != nil && !m.Main && m.Replace == nil { // those that are replaced are ours
			needed[m.Path] = *m
		}
	}
	for _, path := range slices.Sorted(maps.Keys(needed)) {
		m := needed[path]
		licence, err := licenceOf(m.Dir)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", filepath.ToSlash(filepath.Clean(dir)), path, m.Version, licence)
	}
	return nil
}

// licenceOf returns the names of the licences in the files of a module's root that are named
// like one. It fails if there is none, or if most of a file is something else.
func licenceOf(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var names []string
	for _, f := range files {
		base := strings.ToUpper(f.Name())
		if f.IsDir() || strings.HasSuffix(base, ".GO") || !strings.HasPrefix(base, "LICENSE") && !strings.HasPrefix(base, "LICENCE") && !strings.HasPrefix(base, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", err
		}
		found := licensecheck.Scan(text)
		if found.Percent < 75 {
			return "", fmt.Errorf("%s: %.0f %% of it is a known licence", f.Name(), found.Percent)
		}
		for _, m := range found.Match {
			if !slices.Contains(names, m.ID) {
				names = append(names, m.ID)
			}
		}
	}
	if len(names) == 0 {
		return "", errors.New("no licence")
	}
	return strings.Join(names, ", "), nil
}
