// Package interop tests clusters of servers of this module and of Node, which share rooms by
// the adapters for Redis. The servers of Node are processes of interop/js/cluster.mjs.
package interop
