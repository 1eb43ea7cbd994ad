package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Hello asks whether the loop turns. Nothing follows from it.
type Hello struct{}

func (Hello) input() {}

// Limits of what counts as well.
const (
	helloFor = 10 * time.Second // a loop that takes longer to answer makes pages late
	maxLag   = 30 * time.Second // by so much may be late what is due; pages are attempted within a second (SPEC §5.12)
)

// Unwell says why nobody should rely on being paged just now, as sentences; none: all is well. It asks the loop, and
// waits for its answer, for ten seconds at most.
func (e *Engine) Unwell(ctx context.Context) (why []string) {
	ctx, cancel := context.WithTimeout(ctx, helloFor)
	defer cancel()
	err := e.Do(ctx, Hello{}).Err
	switch {
	case errors.Is(err, ErrUnsaved):
	case errors.Is(err, context.DeadlineExceeded):
		return []string{fmt.Sprintf("the engine did not answer within %s", helloFor)}
	case err != nil:
		return []string{err.Error()}
	}
	if trouble := e.Trouble(); trouble != "" {
		why = append(why, "nothing is being kept: "+trouble)
	}
	if lag := time.Duration(e.lag.Load()); lag > maxLag {
		why = append(why, fmt.Sprintf("what is due is begun %s late", lag.Round(time.Second)))
	}
	return why
}
