package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestReadmeShowsTheExamples holds README's Go snippets against the bodies of
// this package's Examples, in the same order: what README shows compiles.
func TestReadmeShowsTheExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := goSnippets(string(readme))
	examples := exampleBodies(t, "example_test.go")
	if len(snippets) != len(examples) {
		t.Fatalf("README has %d Go snippets, example_test.go %d Examples", len(snippets), len(examples))
	}
	for i, snippet := range snippets {
		if snippet != examples[i] {
			t.Errorf("snippet %d of README differs from its Example:\n%s\nwant:\n%s", i, snippet, examples[i])
		}
	}
}

// goSnippets returns the blocks between ```go and ```.
func goSnippets(markdown string) (snippets []string) {
	for {
		_, rest, found := strings.Cut(markdown, "\n```go\n")
		if !found {
			return snippets
		}
		var snippet string
		snippet, markdown, _ = strings.Cut(rest, "```\n")
		snippets = append(snippets, snippet)
	}
}

// exampleBodies returns what stands between the braces of each Example, without
// the indentation that they add.
func exampleBodies(t *testing.T, name string) (bodies []string) {
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "Example") {
			continue
		}
		body := string(source[fset.Position(f.Body.Lbrace).Offset+2 : fset.Position(f.Body.Rbrace).Offset])
		body = strings.TrimPrefix(strings.ReplaceAll("\n"+body, "\n\t", "\n"), "\n")
		bodies = append(bodies, body)
	}
	return bodies
}
