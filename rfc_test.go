package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// testName is a test as a table of rules names it: the package's directory, the
// function and, after a slash, the case.
var testName = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")

// TestRuleTables checks that each rule of docs/rfc.md and docs/socketio.md has a
// test, and that each test there exists: the function, and the name of the case
// as a string in the package's tests.
func TestRuleTables(t *testing.T) {
	for _, name := range []string{"rfc.md", "socketio.md"} {
		t.Run(name, func(t *testing.T) { checkRules(t, filepath.Join("docs", name)) })
	}
}

// TestNodeTestsTable checks that each test that docs/node-tests.md names exists.
func TestNodeTestsTable(t *testing.T) {
	doc, err := os.ReadFile("docs/node-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	names := testName.FindAllStringSubmatch(string(doc), -1)
	if len(names) < 50 {
		t.Errorf("the page names %d tests: is it read?", len(names))
	}
	for _, name := range names {
		if !parseTests(t, name[1]).functions[name[2]] {
			t.Errorf("there is no %s", name[0])
		}
	}
}

func checkRules(t *testing.T, file string) {
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]testPackage)
	rules := 0
	for i, line := range strings.Split(string(doc), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| RFC") || strings.HasPrefix(line, "| section") {
			continue
		}
		rules++
		names := testName.FindAllStringSubmatch(line, -1)
		if len(names) == 0 || strings.Count(line, "`") != 2*len(names) {
			t.Errorf("%s:%d: no test, or not as package.Test/case: %s", file, i+1, line)
		}
		for _, name := range names {
			p, ok := packages[name[1]]
			if !ok {
				p = parseTests(t, name[1])
				packages[name[1]] = p
			}
			if !p.functions[name[2]] || name[3] != "" && !p.strings[name[3]] {
				t.Errorf("%s:%d: there is no %s", file, i+1, name[0])
			}
		}
	}
	if rules == 0 {
		t.Errorf("%s has no table", file)
	}
}

// A testPackage is what the test files of a package define.
type testPackage struct {
	functions map[string]bool
	strings   map[string]bool // all literals
}

func parseTests(t *testing.T, dir string) testPackage {
	t.Helper()
	p := testPackage{functions: make(map[string]bool), strings: make(map[string]bool)}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err == nil && len(files) == 0 { // a part of conn
		files, err = filepath.Glob(filepath.Join("conn", "internal", dir, "*_test.go"))
	}
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d test files, %v", dir, len(files), err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(f) {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					p.functions[n.Name.Name] = true
				}
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					p.strings[s] = true
				}
			}
		}
	}
	return p
}
