module github.com/parleyws/parley/interop

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/gobwas/httphead v0.1.0
	github.com/gobwas/ws v1.5.0
	github.com/gorilla/websocket v1.5.3
	github.com/lxzan/gws v1.9.1
	github.com/parleyws/parley v0.0.0
	golang.org/x/net v0.62.0
)

require github.com/klauspost/compress v1.17.9 // indirect

replace github.com/parleyws/parley => ../
