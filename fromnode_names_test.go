package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// TestFromNodeNames checks that every Go name in the second columns of
// docs/from-node.md exists: what follows io., s., c. and socketio. everywhere, and
// the fields of the options' tables. interop/js/documented.mjs checks the first
// columns.
func TestFromNodeNames(t *testing.T) {
	doc, err := os.ReadFile("docs/from-node.md")
	if err != nil {
		t.Fatal(err)
	}
	method := map[string]reflect.Type{
		"io": reflect.TypeFor[*socketio.Server](), "s": reflect.TypeFor[*socketio.Socket](), "c": reflect.TypeFor[*socketio.Client](),
	}
	exported := exportedNames(t, "socketio")
	selector := regexp.MustCompile(`\b(io|s|c|socketio)\.([A-Z]\w*)`)
	names, options := 0, 0
	table := ""
	for i, line := range strings.Split(string(doc), "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 2 {
			continue
		}
		if strings.HasPrefix(line, "| JavaScript") {
			table = cells[1]
			continue
		}
		for _, code := range regexp.MustCompile("`[^`]+`").FindAllString(cells[1], -1) {
			for _, name := range selector.FindAllStringSubmatch(code, -1) {
				names++
				ok := exported[name[2]]
				if of := method[name[1]]; of != nil {
					_, ok = of.MethodByName(name[2])
				}
				if !ok {
					t.Errorf("docs/from-node.md:%d: there is no %s", i+1, name[0])
				}
			}
		}
		for _, of := range []reflect.Type{reflect.TypeFor[socketio.Options](), reflect.TypeFor[socketio.DialOptions]()} {
			if strings.Contains(table, of.String()) {
				options += checkFields(t, i+1, cells[1], of)
			}
		}
	}
	if names < 80 || options < 40 {
		t.Errorf("the tables name %d functions and %d fields: are they read?", names, options)
	}
}

// checkFields checks the names of one cell that are code: paths of fields from
// options of a type, or from the field before in the same cell. It returns how many
// there are.
func checkFields(t *testing.T, line int, cell string, options reflect.Type) int {
	count := 0
	within := options
	for _, code := range regexp.MustCompile("`([A-Z][\\w.]*)`").FindAllStringSubmatch(cell, -1) {
		count++
		field, ok := fieldAt(options, code[1])
		if !ok {
			field, ok = fieldAt(within, code[1])
		}
		if !ok {
			t.Errorf("docs/from-node.md:%d: %v has no %s", line, options, code[1])
		} else if field.Kind() == reflect.Struct {
			within = field
		}
	}
	return count
}

// fieldAt returns the type of a field, or what it points to.
func fieldAt(of reflect.Type, path string) (reflect.Type, bool) {
	for name := range strings.SplitSeq(path, ".") {
		if of.Kind() != reflect.Struct {
			return nil, false
		}
		field, ok := of.FieldByName(name)
		if !ok {
			return nil, false
		}
		of = field.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
	}
	return of, true
}

// exportedNames returns the exported functions and types of a package.
func exportedNames(t *testing.T, directory string) map[string]bool {
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok {
						names[spec.Name.Name] = true
					}
				}
			}
		}
	}
	return names
}
