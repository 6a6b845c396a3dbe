module github.com/parleyws/parley/proof/network

go 1.26.0

require (
	github.com/parleyws/parley v0.0.0
	golang.org/x/sys v0.49.0
)

replace github.com/parleyws/parley => ../..
