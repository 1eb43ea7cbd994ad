package api

import "time"

// What is taken in at most. Past a limit the answer says so, and what was accepted before is untouched (SPEC §10).
const (
	maxBody   = 10 << 20 // bytes of a posted body after decompression, unless Options.MaxBody says otherwise
	maxDepth  = 32       // of nesting in a posted body; an alert needs 3
	maxAlerts = 50_000   // in one body: hundreds of times what Prometheus sends at once

	// Posted alerts and silences that are being read, decoded or written to disk at once: 600 requests as Prometheus 2 sends them, which is
	// about a second's work. Each byte takes up to four in memory meanwhile. Even a tiny request counts for what its connection costs.
	maxIncoming   = 32 << 20
	leastIncoming = 4 << 10
	bodyTime      = time.Minute // for posted alerts to arrive, so that nobody holds room in there for ever

	// One alert must fit well into one record of the store, and its labels into everybody's messages.
	maxLabels          = 256     // of one alert; likewise annotations
	maxNameBytes       = 1 << 10 // of a label's or annotation's name
	maxLabelBytes      = 16 << 10
	maxAnnotationBytes = 128 << 10
	maxURLBytes        = 16 << 10
	maxAlertBytes      = 256 << 10 // all names, values and the URL together

	maxMatchers     = 256       // of one silence
	maxSilenceBytes = 256 << 10 // its matchers, annotations and words together
	maxSilenceBody  = 2 << 20   // bytes of a posted silence: all of that in escapes, which are six times as long, and names

	maxActionBody = 64 << 10 // bytes of what a person asks for
	maxFilters    = 64       // matchers in one query
	maxFilterText = 8 << 10  // bytes of one matcher, or of a regular expression
	defaultPage   = 50       // items of a list, where the query does not say
	maxPage       = 200
	maxSpan       = 400 * 24 * time.Hour // of shifts asked for at once
	defaultSpan   = 14 * 24 * time.Hour
	maxMuted      = 100 // alerts that are shown of those that a silence mutes
	maxTesting    = 8   // test pages at once: each holds a request for half a minute at most
	maxSimulating = 2   // simulations at once: each may cost a second of a core

	retryAfter = "5" // seconds, in the answer of a server that is overloaded
)
