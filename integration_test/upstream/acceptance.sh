#!/usr/bin/env bash
# Runs Alertmanager's own acceptance suites against midwatch, or against the program that SUT names.
#
# They judge by the clock: TestBatching fails if a message takes 100 ms to go out, and some ten others if a request takes
# 150 ms to come in, with the real Alertmanager as well. So they go before whatever else runs, where they may, keep what they
# write in memory, and are not run more than four at a time. Nothing is tried twice.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sut=${SUT:+$(realpath "$SUT")}
"$here/build.sh"

memory=/dev/shm # of which a container may have little
[[ -w $memory && $(df --output=avail -BM $memory | tail -1 | tr -dc 0-9) -ge 512 ]] || memory=${TMPDIR:-/tmp}
work=$(mktemp -d "$memory/midwatch-acceptance-XXXXXX")
end() {
	# The suites do not wait for the programs they started, and leave them behind when they are interrupted.
	[[ ! -e $work/pids ]] || xargs kill -9 <"$work/pids" 2>/dev/null || true
	rm -rf "$work"
}
trap end EXIT

if [[ -z $sut ]]; then
	sut=$here/build/midwatch
	(cd "$here/../.." && go build -o "$sut" ./cmd/midwatch)
fi
# They start ../../../alertmanager and ../../../amtool, and signal the process that they started: exec keeps its number.
cat >"$work/alertmanager" <<-EOF
	#!/bin/sh
	echo \$\$ >>"$work/pids"
	exec "$sut" "\$@"
EOF
chmod +x "$work/alertmanager"
ln -s "$here/build/amtool" "$work/amtool"
mkdir -p "$work/a/b/c" "$work/tmp"

# Real time where that may be. To be nice counts for less: only within a session, where the kernel groups by those.
first=(nice -n -19)
if chrt --rr 1 true 2>/dev/null; then
	first=(chrt --rr 1)
fi

# suite runs a suite, which has so many tests. It prints how each went, and all that was said in one that failed.
suite() {
	local name=$1 tests=$2 log=$work/$1.log code=0
	echo "== Alertmanager's $name suite"
	(
		cd "$work/a/b/c"
		TMPDIR=$work/tmp exec "${first[@]}" "$here/build/$name.test" -test.v -test.parallel 4 -test.timeout 10m
	) >"$log" 2>&1 || code=$?
	grep '^--- ' "$log" || true
	if [[ $code -ne 0 ]]; then
		awk '
			NR == FNR { if (/^--- FAIL: /) failed[$3] = 1; next }
			/^=== [A-Z]+ / { said = $3 in failed }
			/^panic:/ { said = 1 }
			said
		' "$log" "$log"
		return 1
	fi
	if [[ $(grep -c '^--- PASS: ' "$log") -ne $tests ]]; then
		echo "the $name suite did not run its $tests tests" >&2
		return 1
	fi
}

code=0
suite v2 27 || code=1
suite cli 10 || code=1
exit $code
