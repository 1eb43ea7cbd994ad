package slo

import "math/big"

// levels are burn-rate alerts: for each rank, when one of it fires. The rank is the index.
type levels [ranks + 1]curve

func (l *levels) holds(c condition, t int64) bool {
	pieces := l[c.rank]
	i := pieces.find(t + 1)
	return i > 0 && t < pieces.at(i-1).hi
}

func (l *levels) change(c condition, t, limit int64) int64 {
	pieces := l[c.rank]
	i := pieces.find(t + 1)
	at := int64(never)
	if i > 0 && t < pieces.at(i-1).hi {
		at = pieces.at(i - 1).hi
	} else if i < pieces.n {
		at = pieces.at(i).lo
	}
	if at > limit {
		return never
	}
	return at
}

func (l *levels) bad(int64, int64) *big.Rat { return new(big.Rat) } // nothing is counted

func (l *levels) horizon(int64) int64 { return never }
