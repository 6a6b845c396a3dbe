package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// To build a program takes longer than most of its tests. So one program has many mutants that
// do not overlap, and the environment says which of them is on:
//
//	a < b   (mutantOn == 7 && (a <= b) || mutantOn != 7 && (a < b))
//	a + 1   func() int { if mutantOn == 7 { return (a - 1) }; return a + 1 }()
//	f()     if mutantOn == 7 { } else { f() }
//
// What can't be written so, such as a change of a constant's declaration, is built alone.
const (
	onName = "mutantOn"
	onFile = "mutant_on.go"
	onEnv  = "MUTANT"
)

const onSource = `package %s

import "os"

var ` + onName + ` = func() (n int) {
	for _, c := range os.Getenv("` + onEnv + `") {
		n = 10*n + int(c-'0')
	}
	return n
}()
`

// A program is the source of a package, and what its types are.
type program struct {
	dir, name string
	set       *token.FileSet
	importer  types.Importer
	sources   map[string][]byte // by file
	trees     map[string]*ast.File
	info      *types.Info
}

// load loads a package, and what it imports as the compiler has left that.
func load(dir string) (*program, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./"+dir).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", dir, err)
	}
	exports := map[string]string{}
	for line := range strings.FieldsSeq(string(out)) {
		path, file, _ := strings.Cut(line, "=")
		exports[path] = file
	}
	p := &program{dir: dir, set: token.NewFileSet(), sources: map[string][]byte{}}
	p.importer = importer.ForCompiler(p.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	names, err := sources(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if p.sources[name], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	trees, bad, err := p.check(p.sources, p.info)
	if err != nil || len(bad) > 0 {
		return nil, fmt.Errorf("%s: the types are not understood: %v", dir, bad)
	}
	p.trees = trees
	return p, nil
}

// check finds the types of the package with other sources, and where they are wrong.
func (p *program) check(sources map[string][]byte, info *types.Info) (trees map[string]*ast.File, bad []token.Position, err error) {
	trees = map[string]*ast.File{}
	var all []*ast.File
	for name, source := range sources {
		tree, err := parser.ParseFile(p.set, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		trees[name] = tree
		p.name = tree.Name.Name
		all = append(all, tree)
	}
	on, err := parser.ParseFile(p.set, filepath.Join(p.dir, onFile), fmt.Sprintf("package %s\n\nvar %s int\n", p.name, onName), 0)
	if err != nil {
		return nil, nil, err
	}
	config := types.Config{Importer: p.importer, Error: func(err error) {
		if e, ok := err.(types.Error); ok {
			bad = append(bad, p.set.Position(e.Pos))
		}
	}}
	config.Check(p.dir, p.set, append(all, on), info) // bad has the errors
	return trees, bad, nil
}

// An edit puts a mutant into the program, so that it can be on or off.
type edit struct {
	m          *mutant
	start, end int
	text       string
}

// edit returns the edit of a mutant when its number is on.
func (p *program) edit(m *mutant, number int) (e edit, ok bool) {
	on, off := fmt.Sprintf("%s == %d", onName, number), fmt.Sprintf("%s != %d", onName, number)
	original := string(m.source[m.start:m.end])
	if m.statement {
		return edit{m, m.start, m.end, "if " + on + " {" + m.text + "} else {" + original + "}"}, true
	}
	start, end, t := p.expression(m)
	if t == nil {
		return edit{}, false
	}
	t = types.Default(t)
	changed := string(m.source[start:m.start]) + m.text + string(m.source[m.end:end])
	original = string(m.source[start:end])
	if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&types.IsBoolean != 0 {
		return edit{m, start, end, "(" + on + " && (" + changed + ") || " + off + " && (" + original + "))"}, true
	}
	name := types.TypeString(t, func(q *types.Package) string {
		if q.Path() == p.dir {
			return ""
		}
		return q.Name()
	})
	return edit{m, start, end, "func() " + name + " { if " + on + " { return " + changed + " }; return " + original + " }()"}, true
}

// expression returns the expression that a mutant changes, or the largest constant one that it
// lies in, and its type; nil if there is none.
func (p *program) expression(m *mutant) (start, end int, t types.Type) {
	tree := p.trees[m.file]
	offset := func(at token.Pos) int { return p.set.Position(at).Offset }
	ast.Inspect(tree, func(n ast.Node) bool {
		if n == nil || offset(n.Pos()) > m.start || offset(n.End()) < m.end {
			return false
		}
		e, isExpression := n.(ast.Expr)
		if !isExpression || t != nil {
			return t == nil
		}
		tv, known := p.info.Types[e]
		whole := offset(n.Pos()) == m.start && offset(n.End()) == m.end
		if known && tv.IsValue() && !tv.IsNil() && (whole || tv.Value != nil) {
			start, end, t = offset(n.Pos()), offset(n.End()), tv.Type
		}
		return true
	})
	return start, end, t
}

// A schema is one program with many mutants. Mutant i is on if the environment says i+1.
type schema struct {
	mutants []*mutant
	sources map[string][]byte // by file, those that are changed
	name    string            // of the package
}

// schema puts as many of the mutants into one program as do not overlap. It returns those that
// wait for another one, and those that have to be built alone.
func (p *program) schema(all []*mutant) (s *schema, wait, alone []*mutant) {
	var edits []edit
	taken := map[string][]edit{} // by file
	for _, m := range all {
		e, ok := p.edit(m, len(edits)+1)
		switch {
		case !ok:
			alone = append(alone, m)
		case slices.ContainsFunc(taken[m.file], func(t edit) bool { return e.start < t.end && t.start < e.end }):
			wait = append(wait, m)
		default:
			edits = append(edits, e)
			taken[m.file] = append(taken[m.file], e)
		}
	}
	for len(edits) > 0 {
		sources, spans := p.apply(edits)
		_, bad, err := p.check(sources, nil)
		if err == nil && len(bad) == 0 {
			s = &schema{name: p.name, sources: map[string][]byte{}}
			for _, e := range edits {
				s.mutants = append(s.mutants, e.m)
				s.sources[e.m.file] = sources[e.m.file]
			}
			return s, wait, alone
		}
		var good []*mutant
		for i, e := range edits {
			wrong := func(at token.Position) bool {
				return at.Filename == e.m.file && spans[i].from <= at.Offset && at.Offset < spans[i].to
			}
			if err != nil || slices.ContainsFunc(bad, wrong) {
				alone = append(alone, e.m)
			} else {
				good = append(good, e.m)
			}
		}
		if len(good) == len(edits) { // the errors lie elsewhere
			return nil, wait, append(alone, good...)
		}
		edits = edits[:0]
		for _, m := range good {
			e, _ := p.edit(m, len(edits)+1)
			edits = append(edits, e)
		}
	}
	return nil, wait, alone
}

// isProgram reports whether a mutant can be built.
func (p *program) isProgram(m *mutant) bool {
	sources := maps.Clone(p.sources)
	sources[m.file] = m.apply()
	_, bad, err := p.check(sources, nil)
	return err == nil && len(bad) == 0
}

type span struct{ from, to int }

// apply returns the sources with all edits, and where those lie then.
func (p *program) apply(edits []edit) (sources map[string][]byte, spans []span) {
	sources, spans = map[string][]byte{}, make([]span, len(edits))
	order := make([]int, len(edits))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(edits[i].start, edits[j].start) })
	for name, source := range p.sources {
		var out bytes.Buffer
		last := 0
		for _, i := range order {
			e := edits[i]
			if e.m.file != name {
				continue
			}
			out.Write(source[last:e.start])
			spans[i].from = out.Len()
			out.WriteString(e.text)
			spans[i].to, last = out.Len(), e.end
		}
		out.Write(source[last:])
		sources[name] = out.Bytes()
	}
	return sources, spans
}
