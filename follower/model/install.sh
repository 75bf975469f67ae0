#!/bin/sh
# Installs what the model needs, spin and a C compiler, where they are missing.
set -eu

lacking=
command -v spin >/dev/null || lacking=spin
command -v cc >/dev/null || lacking="$lacking gcc"
[ -n "$lacking" ] || exit 0
echo "model: installing $lacking through the package manager" >&2

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Lists of words on purpose: each is a package.
# shellcheck disable=SC2086
if command -v apt-get >/dev/null; then
	case $lacking in *gcc*) lacking="$lacking libc6-dev" ;; esac
	as_root apt-get update -q
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $lacking </dev/null
elif command -v brew >/dev/null; then
	brew install $lacking
else
	echo "model: install $lacking by hand (https://spinroot.com)" >&2
	exit 1
fi >&2
