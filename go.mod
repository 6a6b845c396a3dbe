module github.com/parleyws/parley

go 1.26
