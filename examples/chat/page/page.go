// Package page is the page of the chat, which speaks the protocol without any library.
package page

import "embed"

// Files has the page, index.html, and what belongs to it.
//
//go:embed index.html *.js *.css
var Files embed.FS
