// Package slo says when an error budget burns too fast, from the time in which alerts fire.
//
// A Spec is an objective as its owner writes it; New checks it and makes an Objective, which does not change. A Budget
// is what is known of one objective and one set of `by` values: when its alerts fired, what is excluded, which
// thresholds are passed. It is a value with Step and Due, like everything that waits. The rules are those of SPEC §7.
//
//	o, err := slo.New(spec)                              // err is Problems; o.Warnings() are doubts
//	b, effects := slo.Budget{}.Step(slo.Fired{…}, now, o)
//	…                                                    // commit b and the effects, then act on them
//	b, effects = b.Step(slo.Tick{}, now, o)              // at b.Due(), or whenever: early, late and twice do no harm
//
// What arrives at one instant belongs into one Step, as All: its order then does not matter. A stored Budget is JSON;
// after it was read back the next Step goes on as if nothing had been. When the objective changes, Reloaded makes the
// Budget look at it. Effects are in this package's words: Opened, Raised, Lowered, Cleared and Reopened are about the
// one incident that burn rates have, Crossed and Rearmed about the incident of one budget threshold.
//
// All arithmetic that decides anything is exact: time is integer nanoseconds, rates and objectives are rationals, and the
// least bad time that reaches a rate is rounded up to a nanosecond once, in New. Floats are for people to read.
package slo
