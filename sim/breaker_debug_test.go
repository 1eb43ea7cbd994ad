package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

func TestBreakerShow(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("MIDWATCH_SEED"), 10, 64)
	if err != nil {
		t.Skip()
	}
	w, broken := playWorld(t, seed, worldLength, nil)
	fmt.Println(w.house.text(false))
	for _, e := range w.check.events {
		fmt.Printf("%+v\n", e)
	}
	fmt.Println(w.tail(100), broken)
}
