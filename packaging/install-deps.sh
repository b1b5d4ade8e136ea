#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what building and testing ctrec needs, on Debian and Ubuntu. Does
# nothing when all is there; asks the network only when something is missing.
set -eu

packages="clang llvm libbpf-dev libelf-dev zlib1g-dev libzstd-dev libcjson-dev check libsystemd-dev
	libcap-dev libxxhash-dev uthash-dev pkg-config make gcc libc6-dev python3 python3-dev
	python3-venv python3-pip"

fail() {
	echo "install-deps: $*" >&2
	exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	fail "only Debian and Ubuntu are known here; install the like of: $(echo $packages) bpftool"
fi

. /etc/os-release
case "${ID:-} ${ID_LIKE:-}" in
ubuntu*) packages="$packages linux-tools-common linux-tools-generic" ;;
*) packages="$packages bpftool" ;;
esac

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The sanitizers' and the fuzzer's runtime is a package of its own, named for clang's version.
runtime() {
	command -v clang >/dev/null || return 0
	local major
	major=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
	[ -z "$major" ] || echo "libclang-rt-$major-dev"
}

have_runtime() {
	local dir
	dir=$(clang -print-runtime-dir 2>/dev/null) || return 1
	ls "$dir"/*fuzzer* "${dir%/*}"/linux/*fuzzer* >/dev/null 2>&1
}

missing=
for p in $packages; do
	# pkgconf provides pkg-config on newer systems
	[ "$p" = pkg-config ] && command -v pkg-config >/dev/null && continue
	[ "$p" = bpftool ] && { command -v bpftool >/dev/null || [ -x /usr/sbin/bpftool ]; } && continue
	installed "$p" || missing="$missing $p"
done

need_runtime=
if ! command -v clang >/dev/null || ! have_runtime; then
	need_runtime=1
fi
[ -n "$missing$need_runtime" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	[ -n "$missing" ] || exit 0 # the fuzzers are left out, and say so
	fail "missing:$missing
  run this as root: sudo $0"
fi

export DEBIAN_FRONTEND=noninteractive
echo "install-deps: installing:$missing${need_runtime:+ (and the fuzzing runtime, if there is one)}"
apt-get update -q || echo "install-deps: apt-get update failed; trying with the lists there are" >&2
if [ -n "$missing" ]; then
	apt-get install -q -y --no-install-recommends $missing || fail "apt-get can't install:$missing"
fi
rt=$(runtime)
if [ -n "$rt" ] && ! have_runtime; then
	if ! apt-cache show "$rt" >/dev/null 2>&1 || ! apt-get install -q -y --no-install-recommends "$rt"; then
		echo "install-deps: no package $rt: the fuzzers can't run here" >&2
	fi
fi
