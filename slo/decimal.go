package slo

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// maxDigits is how many digits a number in a spec may have. Nobody measures finer, and it bounds the arithmetic.
const maxDigits = 18

var (
	one     = big.NewRat(1, 1)
	hundred = big.NewRat(100, 1)
)

// parseDecimal reads digits with at most one point among them, exactly. There is no sign and no exponent.
func parseDecimal(s string) (*big.Rat, error) {
	if s == "" {
		return nil, errors.New("absent")
	}
	whole, part, point := strings.Cut(s, ".")
	digits := whole + part
	switch {
	case whole == "" || point && part == "" || strings.Trim(digits, "0123456789") != "":
		return nil, fmt.Errorf("%q is not a decimal number such as 99.9", s)
	case len(digits) > maxDigits:
		return nil, fmt.Errorf("%q has more than %d digits", s, maxDigits)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("%q is not a decimal number such as 99.9", s)
	}
	return r, nil
}

// parsePercent reads a decimal with a percent sign behind it, as a fraction: 50% is 1/2.
func parsePercent(s string) (*big.Rat, error) {
	number, ok := strings.CutSuffix(s, "%")
	if !ok {
		return nil, fmt.Errorf("%q is not a percentage; write it like 50%%", s)
	}
	r, err := parseDecimal(number)
	if err != nil {
		return nil, fmt.Errorf("%q is not a percentage; write it like 50%%", s)
	}
	return r.Quo(r, hundred), nil
}

// parseObjective reads a percentage without its sign, and returns what it leaves: 99.9 leaves 1/1000.
func parseObjective(s string) (budget *big.Rat, err error) {
	percent, err := parseDecimal(s)
	switch {
	case err != nil && strings.HasSuffix(s, "%"):
		return nil, fmt.Errorf("%q is a percentage already; write %s", s, strings.TrimSuffix(s, "%"))
	case err != nil && s == "":
		return nil, errors.New("absent; write a percentage such as 99.9")
	case err != nil:
		return nil, err
	case percent.Sign() == 0:
		return nil, errors.New("0 asks for nothing; write a percentage between 0 and 100, such as 99.9")
	case percent.Cmp(hundred) >= 0:
		return nil, fmt.Errorf("%s leaves no budget to burn; write a percentage below 100, such as 99.9", s)
	}
	percent.Quo(percent, hundred)
	return percent.Sub(one, percent), nil
}

// decimal writes r with as few digits as say it exactly. Where six after the point do not, it cuts off after the
// fourth, so that what is written is never more than r.
func decimal(r *big.Rat) string {
	scaled := new(big.Rat).Set(r)
	ten := big.NewRat(10, 1)
	for places := range 7 {
		if scaled.IsInt() {
			return r.FloatString(places)
		}
		scaled.Mul(scaled, ten)
	}
	scaled.Mul(r, big.NewRat(10000, 1))
	cut := new(big.Int).Quo(scaled.Num(), scaled.Denom())
	return new(big.Rat).SetFrac(cut, big.NewInt(10000)).FloatString(4)
}

// ceil is the least integer that is not less than r, floor the greatest that is not more.
func ceil(r *big.Rat) int64 {
	n := new(big.Int).Neg(r.Num())
	return -n.Div(n, r.Denom()).Int64() // Div rounds down
}

func floor(r *big.Rat) int64 { return new(big.Int).Div(r.Num(), r.Denom()).Int64() }

// float is the float nearest to r, for output.
func float(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}
