package main

import "golang.org/x/sys/unix"

// A room is how much a disk holds, in bytes.
type room struct{ free, total uint64 }

// diskRoom asks the file system on which a path lies.
func diskRoom(path string) (r room, known bool) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return r, false
	}
	return room{st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize)}, true
}

// clockSynced asks the kernel whether its clock is kept by NTP or the like. known is false where it does not say.
func clockSynced() (synced, known bool) {
	const notSynced = 0x40 // STA_UNSYNC of adjtimex(2)
	var t unix.Timex       // Modes 0: nothing is set
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return state != unix.TIME_ERROR && t.Status&notSynced == 0, true
}
