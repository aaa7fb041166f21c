// Package build is what builds out of Debian's sources have in common: a folder of their own
// in a cache, which goes with the processes at work in it however a build ends, steps with a
// log, and packages that apt fetches and verifies.
package build
