#!/usr/bin/env bash
# Makes sure that what the tests need beside Go is there: the Debian packages in packages.txt. As root it installs what is
# missing; otherwise it says what to install.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v go >/dev/null; then
	echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl/ and put it on the PATH" >&2
	exit 1
fi
missing=()
while read -r package; do
	[[ -z $package || $package == \#* ]] && continue
	dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing+=("$package")
done <packages.txt
[[ ${#missing[@]} -eq 0 ]] && exit 0

if ! command -v apt-get >/dev/null; then
	echo "the tests need these programs, under Debian's names: ${missing[*]}" >&2
	exit 1
fi
if [[ $(id -u) -ne 0 ]]; then
	echo "the tests need some Debian packages; install them with: sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The packages' own services must not start: the tests start private instances.
policy=/usr/sbin/policy-rc.d
made=
if [[ ! -e $policy ]]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	made=1
fi
trap '[[ -z $made ]] || rm -f $policy' EXIT
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
