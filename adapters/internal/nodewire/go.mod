module github.com/parleyws/parley/adapters/internal/nodewire

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/parleyws/parley v0.0.0
	github.com/parleyws/parley/parser/msgpack v0.0.0
)

require (
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.6.5 // indirect
)

replace (
	github.com/parleyws/parley => ../../..
	github.com/parleyws/parley/parser/msgpack => ../../../parser/msgpack
)
