package oncall

import "testing"

// Nights of odd zones, worked out by hand.

func TestTrollMovesItsClocksByTwoHours(t *testing.T) {
	// 01:00 becomes 03:00 at 01:00 UTC: two shifts of an hour have no length, and their turns are used up.
	expect(t, one(t, "Antarctica/Troll", rotation(t, "ana, bo, cy, di, eva", "2026-03-29 00:00", "1h")),
		"2026-03-29 00:00", "2026-03-29 03:00", `
		2026-03-29 00:00 – 2026-03-29 01:00 ana
		2026-03-29 01:00 – 2026-03-29 02:00 di
		2026-03-29 02:00 – 2026-03-29 03:00 eva`)
	// 03:00 becomes 01:00 at 01:00 UTC: eight hours are ten.
	expect(t, one(t, "Antarctica/Troll", rotation(t, "ana, bo, cy", "2026-10-24 16:00", "8h")),
		"2026-10-24 14:00", "2026-10-25 16:00", `
		2026-10-24 14:00 – 2026-10-24 22:00 ana
		2026-10-24 22:00 – 2026-10-25 08:00 bo
		2026-10-25 08:00 – 2026-10-25 16:00 cy`)
	// A window from the first 01:00 to 03:00, which the clocks reach only once.
	expect(t, one(t, "Antarctica/Troll", rotation(t, "ana", "2026-01-01 00:00", "1w"), "daily 01:00 03:00"),
		"2026-10-24 12:00", "2026-10-25 12:00", `2026-10-24 23:00 – 2026-10-25 03:00 ana`)
}

func TestCasablancaKeepsRamadan(t *testing.T) {
	// 03:00 becomes 02:00 at 02:00 UTC on 15 February, and 02:00 becomes 03:00 at 02:00 UTC on 22 March.
	spec := one(t, "Africa/Casablanca", rotation(t, "ana, bo, cy", "2026-02-14 02:30", "30 2 * * *"))
	expect(t, spec, "2026-02-14 01:00", "2026-02-17 00:00", `
		2026-02-14 01:30 – 2026-02-15 01:30 ana
		2026-02-15 01:30 – 2026-02-16 02:30 bo
		2026-02-16 02:30 – 2026-02-17 00:00 cy`)
	expect(t, spec, "2026-03-21 12:00", "2026-03-23 12:00", `
		2026-03-21 12:00 – 2026-03-22 02:00 cy
		2026-03-22 02:00 – 2026-03-23 01:30 ana
		2026-03-23 01:30 – 2026-03-23 12:00 bo`)
	// An override until 02:30 lasts until the second 02:30.
	spec.Overrides = []Override{{Kind: Take, User: "eva", From: wall(t, "2026-02-15 02:30"), To: wall(t, "2026-02-15 02:31")}}
	expect(t, spec, "2026-02-15 01:00", "2026-02-15 04:00", `
		2026-02-15 01:00 – 2026-02-15 01:30 ana
		2026-02-15 01:30 – 2026-02-15 02:31 eva
		2026-02-15 02:31 – 2026-02-15 04:00 bo`)
}

func TestBeirutHasNoMidnightAndHavanaHasTwo(t *testing.T) {
	// In Beirut 00:00 becomes 01:00 as 29 March begins, at 22:00 UTC.
	expect(t, one(t, "Asia/Beirut", rotation(t, "ana, bo, cy", "2026-03-28 00:00", "1d")),
		"2026-03-27 22:00", "2026-03-30 21:00", `
		2026-03-27 22:00 – 2026-03-28 22:00 ana
		2026-03-28 22:00 – 2026-03-29 21:00 bo
		2026-03-29 21:00 – 2026-03-30 21:00 cy`)
	expect(t, one(t, "Asia/Beirut", rotation(t, "ana", "2026-01-01 00:00", "1w"), "sun"),
		"2026-03-27 00:00", "2026-04-01 00:00", `2026-03-28 22:00 – 2026-03-29 21:00 ana`)

	// In Havana 01:00 becomes 00:00 on 1 November, at 05:00 UTC. Sunday begins with the first midnight, and
	// Saturday ends with the last: rule 2 has them overlap.
	expect(t, one(t, "America/Havana", rotation(t, "ana, bo, cy", "2026-10-31 00:00", "1d")),
		"2026-10-31 04:00", "2026-11-03 05:00", `
		2026-10-31 04:00 – 2026-11-01 04:00 ana
		2026-11-01 04:00 – 2026-11-02 05:00 bo
		2026-11-02 05:00 – 2026-11-03 05:00 cy`)
	weekend := Spec{Zone: loadZone("America/Havana"), Layers: []Layer{
		{Name: "sat", Rotation: rotation(t, "ana", "2026-01-01 00:00", "1w"), Active: windowsOf(t, "sat")},
		{Name: "sun", Mode: ModeAdd, Rotation: rotation(t, "bo", "2026-01-01 00:00", "1w"), Active: windowsOf(t, "sun")},
	}}
	expect(t, weekend, "2026-10-30 00:00", "2026-11-05 00:00", `
		2026-10-31 04:00 – 2026-11-01 04:00 ana
		2026-11-01 04:00 – 2026-11-01 05:00 ana+bo
		2026-11-01 05:00 – 2026-11-02 05:00 bo`)
}

func TestLordHoweMovesItsClocksByHalfAnHour(t *testing.T) {
	// 02:00 becomes 02:30 on 4 October, at 15:30 UTC on the 3rd.
	for _, c := range []struct{ window, want string }{
		{"daily 01:00 02:00", "2026-10-03 14:30 – 2026-10-03 15:30 ana"},
		{"daily 02:00 02:30", ""},
		{"daily 02:15 03:00", "2026-10-03 15:30 – 2026-10-03 16:00 ana"},
		{"daily 01:45 02:15", "2026-10-03 15:15 – 2026-10-03 15:30 ana"},
	} {
		expect(t, one(t, "Australia/Lord_Howe", rotation(t, "ana", "2026-01-01 00:00", "1w"), c.window),
			"2026-10-03 12:00", "2026-10-04 12:00", c.want)
	}
	// 02:00 becomes 01:30 on 5 April, at 15:00 UTC on the 4th; 20h are elapsed time and do not care.
	expect(t, one(t, "Australia/Lord_Howe", rotation(t, "ana, bo", "2026-04-04 12:00", "20h")),
		"2026-04-04 01:00", "2026-04-05 17:00", `
		2026-04-04 01:00 – 2026-04-04 21:00 ana
		2026-04-04 21:00 – 2026-04-05 17:00 bo`)
	expect(t, one(t, "Australia/Lord_Howe", rotation(t, "ana, bo", "2026-04-05 01:15", "1h")),
		"2026-04-04 14:15", "2026-04-04 16:45", `
		2026-04-04 14:15 – 2026-04-04 15:45 ana
		2026-04-04 15:45 – 2026-04-04 16:45 bo`)
}

func TestLayersOfSeveralZonesFollowTheSun(t *testing.T) {
	layer := func(name, zone, user string) Layer {
		return Layer{Name: name, Zone: loadZone(zone), Rotation: rotation(t, user, "2026-01-05 00:00", "1w"), Active: windowsOf(t, "daily 08:00 16:00")}
	}
	spec := Spec{Zone: loadZone("UTC"), Layers: []Layer{
		layer("kathmandu", "Asia/Kathmandu", "ana"), layer("lisbon", "Europe/Lisbon", "bo"), layer("york", "America/New_York", "cy"),
	}}
	// America is in summer time since the 8th, Europe not before the 29th.
	expect(t, spec, "2026-03-20 00:00", "2026-03-21 00:00", `
		2026-03-20 02:15 – 2026-03-20 08:00 ana (kathmandu)
		2026-03-20 08:00 – 2026-03-20 12:00 bo (lisbon)
		2026-03-20 12:00 – 2026-03-20 20:00 cy (york)`)
	expect(t, spec, "2026-03-30 00:00", "2026-03-31 00:00", `
		2026-03-30 02:15 – 2026-03-30 07:00 ana (kathmandu)
		2026-03-30 07:00 – 2026-03-30 12:00 bo (lisbon)
		2026-03-30 12:00 – 2026-03-30 20:00 cy (york)`)
}
