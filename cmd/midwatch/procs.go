package main

import "runtime"

// leastProcs is how many threads run Go code at once at least, also where the process may use a part of one core only.
//
// A commit waits for the disk in system calls. With one thread nothing else would run meanwhile, until the runtime notices
// after up to ten milliseconds: no POST would be read, so none could join the next commit, and each would have one of its own.
const leastProcs = 2

// raiseProcs sees to it. Who set GOMAXPROCS in the environment has said what they want.
func raiseProcs(said string) {
	if said == "" && runtime.GOMAXPROCS(0) < leastProcs {
		runtime.GOMAXPROCS(leastProcs)
	}
}
