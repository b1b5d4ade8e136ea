#!/bin/bash
# SPDX-License-Identifier: MIT
# demo.sh BUILD: records the sample program and prints what was recorded. Where the system's
# interpreter or kernel can't be recorded, says why and prints a trace that was made before.
set -u
build=$1
python=/usr/bin/python3
sample=tests/programs/sample.py
stored=tests/golden/two-files.ct

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

title() { printf '\n$ %s\n' "$*"; }

cat "$sample"
title "ctrec run -o DIR -- $python $sample"
"$build/ctrec" run -o "$dir" -- "$python" "$sample" 2>"$dir/said"
status=$?
cat "$dir/said" >&2
if [ "$status" = 0 ]; then
	title "ctrec print DIR/sample.ct"
	"$build/ctrec" print "$dir/sample.ct"
	exit
fi

case $(grep -o '\[ERR_[A-Z_]*\]' "$dir/said" | head -n 1) in
'[ERR_NO_PROBES]' | '[ERR_UNSUPPORTED_PYTHON]')
	cat <<-END

	demo: CAN'T RUN HERE: recording with $("$python" -VV 2>&1 | head -n 1)
	  This ctrec has no way into it: neither probes of its own that ctrec knows, nor a place for ctrec's.
	END
	;;
'[ERR_NO_BPF]')
	cat <<-END

	demo: CAN'T RUN HERE: recording on Linux $(uname -r)
	  ctrec's probes are eBPF programs: Linux 6.1 or newer with BTF, outside of containers that forbid them.
	END
	;;
*) exit "$status" ;;
esac
cat <<END

What can be shown: ctrec was built and runs. A trace recorded elsewhere, as it prints it:
END
title "ctrec print $stored"
"$build/ctrec" print "$stored"
