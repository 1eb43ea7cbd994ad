package chat

import (
	"crypto/tls"
	"net"
	"sync"
)

// openConns knows what is connected, so that it can be ended.
type openConns struct {
	net.Listener
	mu  sync.Mutex
	all map[net.Conn]bool // whether a message is under way
}

func (o *openConns) Accept() (net.Conn, error) {
	c, err := o.Listener.Accept()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[c] = false
	return &openConn{Conn: c, of: o, key: c}, nil
}

type openConn struct {
	net.Conn
	of  *openConns
	key net.Conn
}

func (c *openConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.all, c.key)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (o *openConns) closeAll() { o.close(func(bool) bool { return true }) }

// closeIdle ends those who only keep the line open.
func (o *openConns) closeIdle() { o.close(func(busy bool) bool { return !busy }) }

func (o *openConns) close(which func(busy bool) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c, busy := range o.all {
		if which(busy) {
			_ = c.Close()
		}
	}
}

// busy marks a connection while a message is under way.
func busy(c net.Conn, is bool) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if o, ok := c.(*openConn); ok {
		o.of.mu.Lock()
		defer o.of.mu.Unlock()
		if _, open := o.of.all[o.key]; open {
			o.of.all[o.key] = is
		}
	}
}
