package engine

import "time"

// Step is one turn of the loop, for who drives the engine by a time of their own in place of Run: it takes what waits in
// the queue, then the inputs, and answers these in their order. After an error the engine is as good as killed: another
// one must be started on what the store holds.
func (e *Engine) Step(inputs ...Input) ([]Answer, error) {
	var requests []request
	if r, ok := e.next(); ok {
		requests = e.take(r)
	}
	waiting := len(requests)
	for _, in := range inputs {
		requests = append(requests, request{in: in, answer: make(chan Answer, 1)})
	}
	if err := e.turn(requests); err != nil {
		return nil, err
	}
	if err := e.prune(); err != nil {
		return nil, err
	}
	answers := make([]Answer, 0, len(inputs))
	for _, r := range requests[waiting:] {
		answers = append(answers, <-r.answer)
	}
	return answers, nil
}

// Due is when the next Step is wanted though nothing arrives; zero: never.
func (e *Engine) Due() time.Time { return e.core.Due() }

// Queued is how many inputs wait for the next Step, results of deliveries above all.
func (e *Engine) Queued() int { return len(e.people) + len(e.queue) }
