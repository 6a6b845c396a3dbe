module github.com/parleyws/parley/adapters/interop

go 1.26.0

require (
	github.com/parleyws/parley v0.0.0
	github.com/parleyws/parley/adapters/redis v0.0.0
	github.com/parleyws/parley/adapters/redisstreams v0.0.0
	github.com/redis/go-redis/v9 v9.23.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/parleyws/parley/adapters/internal/nodewire v0.0.0 // indirect
	github.com/parleyws/parley/adapters/internal/redislink v0.0.0 // indirect
	github.com/parleyws/parley/parser/msgpack v0.0.0 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.6.5 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)

replace (
	github.com/parleyws/parley => ../..
	github.com/parleyws/parley/adapters/internal/nodewire => ../internal/nodewire
	github.com/parleyws/parley/adapters/internal/redislink => ../internal/redislink
	github.com/parleyws/parley/adapters/redis => ../redis
	github.com/parleyws/parley/adapters/redisstreams => ../redisstreams
	github.com/parleyws/parley/parser/msgpack => ../../parser/msgpack
)
