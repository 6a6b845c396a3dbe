package socketio

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// clientFiles serves the JavaScript client.
type clientFiles struct {
	fsys fs.FS // nil: nothing

	mu     sync.Mutex
	loaded map[string]clientFile
}

// A clientFile is a file that has been read.
type clientFile struct {
	data []byte
	etag string
}

func newClientFiles(fsys fs.FS) *clientFiles {
	return &clientFiles{fsys: fsys, loaded: make(map[string]clientFile)}
}

// scripts are the files that are served, each with its source map. No other file
// of the folder is served.
var scripts = []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"}

// checkClientFiles refuses a folder that holds none of the scripts: the user has
// meant another one. nil is fine.
func checkClientFiles(fsys fs.FS) error {
	if fsys == nil {
		return nil
	}
	var err error
	for _, name := range scripts {
		if _, err = fs.Stat(fsys, name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("socket.io: Options.ClientFiles is a %T without scripts: it must be the folder client-dist "+
		"of the npm package socket.io, or dist of socket.io-client: %w", fsys, err)
}

// has reports whether name is one of the client's files.
func (f *clientFiles) has(name string) bool {
	return f.fsys != nil && slices.Contains(scripts, strings.TrimSuffix(name, ".map"))
}

// serve answers a request with a file.
func (f *clientFiles) serve(w http.ResponseWriter, r *http.Request, name string) {
	file, err := f.load(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("ETag", file.etag)
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("Content-Type", "application/javascript; charset=utf-8")
	if strings.HasSuffix(name, ".map") {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.data))
}

// load returns a file, which it reads unless it was read before. The file system is
// the user's, so load holds no lock while it reads; two requests may both read a
// file.
func (f *clientFiles) load(name string) (clientFile, error) {
	f.mu.Lock()
	file, ok := f.loaded[name]
	f.mu.Unlock()
	if ok {
		return file, nil
	}
	data, err := fs.ReadFile(f.fsys, name)
	if err != nil {
		return clientFile{}, err
	}
	sum := sha256.Sum256(data)
	file = clientFile{data, `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded[name] = file
	return file, nil
}
