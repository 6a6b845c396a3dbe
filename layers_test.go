package parley_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// modulePath is this module's: what begins with it is ours.
const modulePath = "github.com/parleyws/parley"

// A layer says what the files of a directory may import beside the standard
// library, and what of the standard library they may not.
type layer struct {
	dir    string   // and all below it that has no layer of its own
	ours   []string // packages of ours; "*" stands for all
	banned []string // of the standard library, each with all below it
}

// The floors of ARCHITECTURE.md, from the bottom to the top. A directory that
// is not listed may hold no package.
var layers = []layer{
	{dir: "mask", ours: []string{"internal/x86"}, banned: []string{"net", "io", "sync", "time", "context"}},
	{dir: "frame", banned: []string{"net", "io", "sync", "time", "context"}},
	{dir: "handshake"},
	{dir: "conn", ours: []string{
		"frame", "handshake", "mask", "internal/inflate", "internal/loop", "internal/requestvalues",
		"conn/internal/inflater", "conn/internal/message", "conn/internal/pool", "conn/internal/stream",
	}},
	{dir: "conn/internal"},
	{dir: "conn/internal/pool", banned: []string{"net", "time", "context"}},
	{dir: "conn/internal/text", ours: []string{"internal/x86"}, banned: pureBanned},
	{dir: "conn/internal/inflater", ours: []string{"frame", "conn/internal/pool", "internal/inflate"}, banned: []string{"net", "time", "context"}},
	{dir: "conn/internal/message", ours: []string{
		"frame", "mask", "conn/internal/inflater", "conn/internal/pool", "conn/internal/text",
	}, banned: pureBanned},
	{dir: "conn/internal/stream", ours: []string{"conn/internal/pool", "internal/loop"}, banned: []string{"net/http", "context"}},
	{dir: "engineio", ours: []string{"frame", "handshake", "conn", "engineio/internal/packet", "internal/alarm", "internal/requestvalues"}},
	{dir: "engineio/internal/packet", banned: []string{"net", "io", "sync", "time", "context"}},
	{dir: "parser", banned: []string{"net", "io", "sync", "time", "context"}},
	{dir: "socketio", ours: []string{"engineio", "parser", "socketio/internal/packet"}},
	{dir: "socketio/internal/packet", ours: []string{"parser"}, banned: []string{"net", "io", "sync", "time", "context"}},
	{dir: "socketio/adaptertest", ours: []string{"engineio", "handshake", "internal/pipe", "socketio"}},
	{dir: "internal"},
	{dir: "internal/pipe", ours: []string{"internal/loop"}},
	{dir: "internal/alarm", banned: []string{"net", "io", "context"}},
	{dir: "internal/loop", ours: []string{"internal/alarm"}, banned: []string{"net/http"}},
	{dir: "internal/inflate", banned: []string{"net", "io", "sync", "time", "context"}},
	{dir: "proof", ours: []string{"*"}},
	{dir: "wstest", ours: []string{"mask", "frame", "handshake", "conn", "internal/pipe"}},
	{dir: "adapters/internal/brokertest"},
	{dir: "adapters/internal/faulttest", ours: []string{"adapters/internal/brokertest", "engineio", "internal/pipe", "socketio"}},
	{dir: "adapters/internal/capacity", ours: []string{"adapters/internal/capacity"}, banned: []string{"net", "sync", "context"}},
	{dir: "adapters/internal/cluster", ours: []string{"parser", "socketio"}},
	{dir: "autobahn", ours: []string{"*"}},
	{dir: "examples", ours: []string{"*"}},
}

// pureFiles decide and never wait: they see no stream, no lock and no clock.
var pureFiles = []string{
	"handshake/extension.go", "handshake/deflate.go",
	"conn/out_queue.go", "conn/out_pending.go",
	"engineio/upgrade.go", "engineio/client_upgrade.go", "engineio/client_batch.go",
	"socketio/args.go",
}

// assembly is all that there is, each with its generic twin.
var assembly = []string{"mask/mask_amd64.s", "conn/internal/text/text_amd64.s", "internal/x86/x86_amd64.s"}

var pureBanned = []string{"net", "sync", "time", "context"}

// wrongArrows returns what is wrong with the imports of a file, given by its
// path in the module with slashes.
func wrongArrows(file string, imports []string) (wrong []string) {
	l, ok := layerOf(path.Dir(file))
	if !ok {
		return []string{file + ": its directory is in no layer"}
	}
	banned := append([]string{"unsafe", "C"}, l.banned...)
	if slices.Contains(pureFiles, file) {
		banned = append(banned, pureBanned...)
	}
	for _, imported := range imports {
		if ours, ok := strings.CutPrefix(imported, modulePath+"/"); ok {
			if !slices.Contains(l.ours, "*") && !slices.Contains(l.ours, ours) {
				wrong = append(wrong, fmt.Sprintf("%s: %s may not import %s", file, l.dir, ours))
			}
			continue
		}
		if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
			wrong = append(wrong, fmt.Sprintf("%s: %s is not in the standard library", file, imported))
		}
		if slices.ContainsFunc(banned, func(b string) bool { return within(imported, b) }) {
			wrong = append(wrong, fmt.Sprintf("%s: may not import %s", file, imported))
		}
	}
	return wrong
}

// layerOf returns the layer that dir belongs to: the deepest one above it.
func layerOf(dir string) (found layer, ok bool) {
	for _, l := range layers {
		if within(dir, l.dir) && len(l.dir) > len(found.dir) {
			found, ok = l, true
		}
	}
	return found, ok
}

// within reports whether name is root or below it.
func within(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }

func TestLayers(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipForeign(name, d)
		}
		file := filepath.ToSlash(name)
		if path.Ext(file) == ".s" && !slices.Contains(assembly, file) {
			t.Errorf("%s: assembly that is not on the list", file)
		}
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		imports, err := importsOf(name)
		if err != nil {
			return err
		}
		for _, wrong := range wrongArrows(file, imports) {
			t.Error(wrong)
		}
		seen[path.Dir(file)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"mask", "frame", "conn/internal/message"} {
		if !seen[dir] {
			t.Errorf("no file of %s was looked at", dir)
		}
	}
}

// skipForeign leaves out what the go command leaves out, and other modules.
func skipForeign(name string, d fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if strings.ContainsAny(d.Name()[:1], "._") || d.Name() == "testdata" || d.Name() == "node_modules" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

// importsOf returns the import paths of a Go file, whatever its build
// constraints say.
func importsOf(name string) (imports []string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, imported)
	}
	return imports, nil
}

// TestWrongArrowsAreSeen proves that TestLayers can fail.
func TestWrongArrowsAreSeen(t *testing.T) {
	const us = modulePath + "/"
	tests := []struct {
		file, imported string
		wrong          bool
	}{
		{"mask/mask.go", "encoding/binary", false},
		{"mask/mask.go", us + "frame", true},
		{"mask/mask.go", "unsafe", true},
		{"frame/header.go", "unicode/utf8", false},
		{"frame/header.go", us + "mask", true},
		{"frame/header.go", "io", true},
		{"frame/header.go", "sync/atomic", true},
		{"frame/header.go", "net/http", true},
		{"frame/header.go", "time", true},
		{"frame/header.go", "context", true},
		{"handshake/raw.go", "net/http", false},
		{"handshake/raw.go", us + "frame", true},
		{"handshake/raw.go", "golang.org/x/net/http/httpguts", true},
		{"handshake/deflate.go", "net/http", true},
		{"conn/in_read.go", us + "frame", false},
		{"conn/in_read.go", "sync", false},
		{"conn/out_deflater.go", us + "internal/inflate", false},
		{"conn/in.go", us + "conn/internal/message", false},
		{"conn/in.go", us + "conn/internal/text", true},
		{"conn/in_read.go", us + "internal/pipe", true},
		{"conn/in_read.go", us + "engineio", true},
		{"conn/out_queue.go", "time", true},
		{"conn/internal/message/rules.go", us + "frame", false},
		{"conn/internal/message/rules.go", "sync", true},
		{"conn/internal/message/parser.go", us + "conn/internal/text", false},
		{"conn/internal/message/parser.go", us + "conn/internal/stream", true},
		{"conn/internal/message/parser.go", us + "conn", true},
		{"conn/internal/message/parser.go", us + "handshake", true},
		{"conn/internal/text/text.go", "net/netip", true},
		{"conn/internal/text/text_amd64.go", us + "internal/x86", false},
		{"conn/internal/inflater/inflater.go", "sync", false},
		{"conn/internal/inflater/inflater.go", "time", true},
		{"conn/internal/inflater/inflater.go", us + "internal/inflate", false},
		{"conn/internal/pool/pool.go", "sync", false},
		{"conn/internal/pool/pool.go", "time", true},
		{"conn/internal/pool/pool.go", us + "frame", true},
		{"conn/internal/stream/stream.go", "net", false},
		{"conn/internal/stream/stream.go", "context", true},
		{"conn/internal/stream/stream.go", us + "conn/internal/pool", false},
		{"conn/internal/stream/stream.go", us + "conn/internal/message", true},
		{"engineio/session.go", us + "conn/internal/message", true},
		{"engineio/session.go", us + "conn", false},
		{"engineio/session.go", us + "mask", true},
		{"engineio/session.go", us + "socketio", true},
		{"engineio/session.go", us + "engineio/internal/packet", false},
		{"engineio/internal/packet/packet.go", "encoding/base64", false},
		{"engineio/internal/packet/packet.go", us + "frame", true},
		{"engineio/internal/packet/packet.go", "time", true},
		{"socketio/socket.go", us + "engineio", false},
		{"socketio/socket.go", us + "conn", true},
		{"socketio/socket.go", us + "frame", true},
		{"socketio/socket.go", us + "socketio/internal/packet", false},
		{"socketio/socket.go", us + "parser", false},
		{"parser/parser.go", us + "socketio", true},
		{"parser/parser.go", "io", true},
		{"socketio/internal/packet/text.go", us + "parser", false},
		{"socketio/args.go", "sync", true},
		{"socketio/internal/packet/scan.go", us + "engineio", true},
		{"socketio/internal/packet/scan.go", "sync", true},
		{"wstest/pipe.go", us + "internal/pipe", false},
		{"wstest/pipe.go", us + "engineio", true},
		{"internal/pipe/pipe.go", us + "conn", true},
		{"internal/inflate/input.go", "io", true},
		{"examples/echo/main.go", us + "conn", false},
		{"examples/echo/main.go", "github.com/gorilla/websocket", true},
		{"facade.go", "errors", true},
		{"helpers/helpers.go", "errors", true},
		{"connx/conn.go", "errors", true},
	}
	for _, test := range tests {
		wrong := wrongArrows(test.file, []string{"errors", test.imported})
		if got := len(wrong) > 0; got != test.wrong {
			t.Errorf("%s imports %s: wrong %v, want %v (%q)", test.file, test.imported, got, test.wrong, wrong)
		}
	}
}
