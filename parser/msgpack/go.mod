module github.com/parleyws/parley/parser/msgpack

go 1.26.0

require (
	github.com/parleyws/parley v0.0.0
	github.com/tinylib/msgp v1.6.5
)

require github.com/philhofer/fwd v1.2.0 // indirect

replace github.com/parleyws/parley => ../..
