#!/usr/bin/env bash
# Builds Alertmanager's own programs and acceptance suites into build/, from its released module. Does nothing if they are
# there and what they are made of is unchanged.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p build
exec 9>build/lock
flock 9 # several tests may want them at once

made_of=$(cat go.mod go.sum build.sh <(go version) | sha256sum)
[[ $made_of != "$(cat build/made-of 2>/dev/null)" ]] || exit 0
rm -f build/made-of
echo "building Alertmanager's programs and acceptance suites, once"

module=github.com/prometheus/alertmanager
export GOFLAGS=-mod=readonly
release=$(go list -m -f '{{.Version}}' $module)
stamp="-X github.com/prometheus/common/version.Version=${release#v}" # amtool's version test asks for it

# The module has no pages in it, and what embeds them does not compile without. A copy with a stub in their place does; it
# replaces the module for this one build, so that nothing else is compiled twice.
copy=build/alertmanager-without-pages
trap 'chmod -R u+w $copy && rm -rf $copy' EXIT
cp -r "$(go list -m -f '{{.Dir}}' $module)" $copy
chmod -R u+w $copy
mkdir -p $copy/ui/app/dist
echo '<!doctype html>' | gzip -n >$copy/ui/app/dist/index.html.gz
cp go.sum build/alertmanager.sum
cp go.mod build/alertmanager.mod
go mod edit -replace=$module=./$copy build/alertmanager.mod
go build -modfile=build/alertmanager.mod -ldflags "$stamp" -o build/alertmanager $module/cmd/alertmanager

go build -ldflags "$stamp" -o build/amtool $module/cmd/amtool
go test -c -o build/v2.test $module/test/with_api_v2/acceptance
go test -c -o build/cli.test $module/test/cli/acceptance

echo "$made_of" >build/made-of
