package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestDocsShowTheExamples holds the Go snippets of documents against the bodies
// of this package's Examples, in the same order: what they show compiles.
func TestDocsShowTheExamples(t *testing.T) {
	for document, source := range map[string]string{
		"README.md":         "example_test.go",
		"docs/from-node.md": "fromnode_test.go",
	} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		snippets, examples := goSnippets(string(text)), exampleBodies(t, source)
		if len(snippets) != len(examples) {
			t.Fatalf("%s has %d Go snippets, %s %d Examples", document, len(snippets), source, len(examples))
		}
		for i, snippet := range snippets {
			if snippet != examples[i] {
				t.Errorf("snippet %d of %s differs from its Example:\n%s\nwant:\n%s", i, document, snippet, examples[i])
			}
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
