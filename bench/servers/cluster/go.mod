module github.com/parleyws/parley/bench/servers/cluster

go 1.26.0

require (
	github.com/parleyws/parley v0.0.0
	github.com/parleyws/parley/adapters/nats v0.0.0
	github.com/parleyws/parley/adapters/nats/embedded v0.0.0
	github.com/parleyws/parley/adapters/redis v0.0.0
	github.com/parleyws/parley/adapters/redisstreams v0.0.0
	github.com/parleyws/parley/bench v0.0.0
	github.com/redis/go-redis/v9 v9.23.0
)

require (
	github.com/antithesishq/antithesis-sdk-go v0.9.0-default-no-op // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/klauspost/compress v1.20.4 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.3 // indirect
	github.com/nats-io/nats-server/v2 v2.15.3 // indirect
	github.com/nats-io/nats.go v1.55.0 // indirect
	github.com/nats-io/nkeys v0.4.17 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/parleyws/parley/adapters/internal/nodewire v0.0.0 // indirect
	github.com/parleyws/parley/adapters/internal/redislink v0.0.0 // indirect
	github.com/parleyws/parley/parser/msgpack v0.0.0 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.6.5 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

tool github.com/nats-io/nats-server/v2

replace (
	github.com/parleyws/parley => ../../..
	github.com/parleyws/parley/adapters/internal/nodewire => ../../../adapters/internal/nodewire
	github.com/parleyws/parley/adapters/internal/redislink => ../../../adapters/internal/redislink
	github.com/parleyws/parley/adapters/nats => ../../../adapters/nats
	github.com/parleyws/parley/adapters/nats/embedded => ../../../adapters/nats/embedded
	github.com/parleyws/parley/adapters/redis => ../../../adapters/redis
	github.com/parleyws/parley/adapters/redisstreams => ../../../adapters/redisstreams
	github.com/parleyws/parley/bench => ../..
	github.com/parleyws/parley/codec/klauspost => ../../../codec/klauspost
	github.com/parleyws/parley/parser/msgpack => ../../../parser/msgpack
)
