module github.com/parleyws/parley

go 1.26.0

ignore node_modules

require (
	github.com/google/go-cmp v0.7.0
	golang.org/x/net v0.62.0
)
