package engine

import "time"

// awayAfter is for how long the loop must not have looked at the clock before it counts as away: it looks at least every
// longestNap, and a turn takes seconds at the very most. Senders repeat what fires once a minute or so.
const awayAfter = 10 * time.Second

// Resumed says that nobody looked for a while, until now: the machine was suspended, or the process stopped. Time went
// on meanwhile (SPEC §5.12), but nothing could arrive. As after a restart, nothing resolves and no heartbeat is late
// because of that (SPEC §5.8), and what is overdue goes out only where nothing silences it now. It comes before what
// arrived since.
type Resumed struct{}

func (Resumed) input() {}

func (c *Core) resumed() Answer {
	c.router.Resumed(c.now)
	// Silences and windows of maintenance that began meanwhile hold from now on, also for steps that were due before them.
	c.usePlans()
	c.routed(c.router.ElapsedSome(c.now, 0))
	c.excuseHeartbeats()
	return Answer{}
}

// wasAway tells whether the loop did not look at the clock for so long that it must say so. It is the loop's own, and
// called with every look.
func (e *Engine) wasAway() bool {
	now := e.now().Elapsed
	away := now - e.looked
	e.looked = now
	return away > awayAfter
}
