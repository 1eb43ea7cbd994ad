package router

// GroupCount is how many groups there are, those included that wait to hear that all is over.
func (r *Router) GroupCount() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.groups)
}
