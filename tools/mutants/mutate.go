package main

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// A mutant is one change of one file: an expression or a statement, the bytes from start to
// end, becomes text.
type mutant struct {
	file       string
	source     []byte // of the file, shared and not changed
	start, end int
	text       string
	statement  bool     // or an expression
	at         position // of what is changed
	from, to   position // the function that is changed; zero for a declaration

	function string // that is changed
	kind     string
	old, new string // what is changed, as it is shown
	line     string // of the source, without space around it
	number   int    // tells mutants apart that read the same
}

// String returns the mutant as the list of judged ones has it. It has no line number, which
// every other change would move.
func (m *mutant) String() string {
	s := m.file + " " + m.function + ": " + m.kind + ", " + oneLine(m.old) + " -> " + oneLine(m.new) + " | " + m.line
	if m.number > 1 {
		s += " #" + strconv.Itoa(m.number)
	}
	return s
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return "nothing"
	}
	return s
}

// apply returns the file's source as the mutant changes it.
func (m *mutant) apply() []byte {
	return bytes.Join([][]byte{m.source[:m.start], []byte(m.text), m.source[m.end:]}, nil)
}

// mutants returns all mutants of a file, in the order of the source. Generated files, and
// functions that only print, have none.
func mutants(file string, source []byte) ([]*mutant, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(tree) {
		return nil, nil
	}
	f := &finder{file: file, source: source, set: set}
	for _, d := range tree.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			f.function, f.from, f.to = d.Name.Name, f.position(d.Pos()), f.position(d.End())
			if d.Name.Name == "String" {
				continue
			}
		} else {
			f.function, f.from, f.to = "declarations", position{}, position{}
		}
		ast.Inspect(d, f.visit)
	}
	seen := map[string]int{}
	for _, m := range f.found {
		s := m.String()
		seen[s]++
		m.number = seen[s]
	}
	return f.found, nil
}

// A finder finds the mutants of a file.
type finder struct {
	file     string
	source   []byte
	set      *token.FileSet
	function string
	from, to position // the function's
	found    []*mutant
}

func (f *finder) position(p token.Pos) position {
	at := f.set.Position(p)
	return position{at.Line, at.Column}
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

// add adds a mutant that replaces a node.
func (f *finder) add(kind string, n ast.Node, text string) {
	f.addPart(kind, n, n.Pos(), text, f.text(n), text)
}

// addPart is add for a change of which only a part is shown: old, at a position, and new.
func (f *finder) addPart(kind string, n ast.Node, at token.Pos, text, old, new string) {
	_, statement := n.(ast.Stmt)
	if text == f.text(n) {
		return // as of what is assigned to nothing anyway
	}
	shown := f.offset(at)
	lineStart := bytes.LastIndexByte(f.source[:shown], '\n') + 1
	lineEnd := shown + bytes.IndexByte(f.source[shown:], '\n')
	f.found = append(f.found, &mutant{file: f.file, source: f.source, start: f.offset(n.Pos()), end: f.offset(n.End()),
		text: text, statement: statement, at: f.position(at), from: f.from, to: f.to,
		function: f.function, kind: kind, old: old, new: new, line: oneLine(string(f.source[lineStart:lineEnd]))})
}

// operators has what each operator becomes.
var operators = map[token.Token][]string{
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"&"}, token.AND_NOT: {"&"}, token.SHL: {">>"}, token.SHR: {"<<"},
	token.LAND: {"||"}, token.LOR: {"&&"},
}

// visit adds the mutants of one node.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.CONST || n.Tok == token.VAR
	case *ast.BinaryExpr:
		for _, op := range operators[n.Op] {
			f.addPart("operator", n, n.OpPos, "("+f.text(n.X)+" "+op+" "+f.text(n.Y)+")", n.Op.String(), op)
		}
		if n.Op == token.LAND || n.Op == token.LOR {
			f.add("one side", n, f.text(n.X))
			f.add("one side", n, f.text(n.Y))
		}
	case *ast.BasicLit:
		if n.Kind == token.INT {
			f.add("number", n, "("+n.Value+" + 1)")
			f.add("number", n, "("+n.Value+" - 1)")
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			f.add("truth", n, "false")
		case "false":
			f.add("truth", n, "true")
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT || n.Op == token.SUB || n.Op == token.XOR {
			f.addPart("sign", n, n.OpPos, "("+f.text(n.X)+")", n.Op.String(), "")
		}
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.add("condition", n.Cond, "("+f.text(n.Cond)+") && false")
		}
	case *ast.CaseClause:
		f.clause(n)
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CommClause:
		f.statements(n.Body)
	}
	return true
}

// condition adds the mutants that make a condition always true, and never.
func (f *finder) condition(c ast.Expr) {
	text := f.text(c)
	f.add("condition", c, "("+text+") || true")
	f.add("condition", c, "("+text+") && false")
}

// values is what a case lists.
type values struct{ list []ast.Expr }

func (v values) Pos() token.Pos { return v.list[0].Pos() }
func (v values) End() token.Pos { return v.list[len(v.list)-1].End() }

// clause adds the mutants of a case: each of several values left out, and its statements.
func (f *finder) clause(n *ast.CaseClause) {
	if len(n.List) > 1 {
		for i := range n.List {
			var rest []string
			for j, e := range n.List {
				if j != i {
					rest = append(rest, f.text(e))
				}
			}
			f.add("case", values{n.List}, strings.Join(rest, ", "))
		}
	}
	f.statements(n.Body)
}

// statements adds the mutants that leave one of the statements out.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
			f.add("statement", s, "")
		case *ast.AssignStmt:
			switch {
			case s.Tok == token.DEFINE:
			case len(s.Lhs) == len(s.Rhs):
				f.add("statement", s, f.unassigned(s.Rhs))
			default: // of a function with several results
				f.add("statement", s, strings.Repeat("_, ", len(s.Lhs)-1)+"_ = "+f.text(s.Rhs[0]))
			}
		case *ast.BranchStmt:
			if s.Tok != token.FALLTHROUGH {
				f.add("statement", s, "")
			}
		case *ast.ReturnStmt:
			f.results(s)
		}
	}
}

// results adds the mutants that return nil in place of an error.
func (f *finder) results(s *ast.ReturnStmt) {
	if len(s.Results) == 0 {
		f.add("statement", s, "")
		return
	}
	last := s.Results[len(s.Results)-1]
	if text := f.text(last); strings.HasPrefix(text, "err") || strings.Contains(text, "Error{") || strings.Contains(text, "rrorf(") {
		f.add("error", last, "nil")
	}
}

// unassigned returns an assignment of values to nothing, since what is assigned may have no
// other use. nil can't be assigned so.
func (f *finder) unassigned(values []ast.Expr) string {
	var texts []string
	for _, v := range values {
		if text := f.text(v); text != "nil" {
			texts = append(texts, text)
		}
	}
	if texts == nil {
		return ""
	}
	return strings.Repeat("_, ", len(texts)-1) + "_ = " + strings.Join(texts, ", ")
}

// parses reports whether source is Go.
func parses(source []byte) bool {
	_, err := format.Source(source)
	return err == nil
}
