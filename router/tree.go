package router

// Tree is what Routes is, without counts: it looks at no group, however many there are.
func (r *Router) Tree() (views []RouteView) {
	r.mu.RLock()
	root := r.root
	r.mu.RUnlock()
	var visit func(n *node, depth int)
	visit = func(n *node, depth int) {
		views = append(views, n.view(depth))
		for _, child := range n.below {
			visit(child, depth+1)
		}
	}
	visit(root, 0)
	return views
}
