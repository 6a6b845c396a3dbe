module github.com/parleyws/parley/codec/klauspost

go 1.26.0

require (
	github.com/klauspost/compress v1.18.1
	github.com/parleyws/parley v0.0.0
)

replace github.com/parleyws/parley => ../..
