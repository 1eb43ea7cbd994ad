//go:build race

package engine

// The race detector costs a factor of ten; what is proved by number has its proof without it.
const raced = true
