package router

import (
	"reflect"
	"testing"
)

// The tree is what Routes tells, but for the counts.
func TestTheTreeIsOfAllRoutes(t *testing.T) {
	d := world(t, `{receiver: all, group_by: [alertname], routes: [
		{matchers: ['team="web"'], receiver: web, routes: [{matchers: ['a="b"'], receiver: web, continue: true}]},
		{receiver: all}]}`, map[string]string{"all": "webhook", "web": ""})
	want := d.Routes(d.time())
	for i := range want {
		want[i].Groups, want[i].Firing = 0, 0
	}
	if got := d.Tree(); len(got) != 4 || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}
