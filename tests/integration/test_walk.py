#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The layout tables as a walker uses them, against live frames and objects.

    test_walk.py RESOLVE_TOOL [PYTHON ...]

Each PYTHON (a path or ROOT:PATH, see test_resolve.py) runs walk_program.py, which reads
its own memory by the rules of include/ctrec/layout.h and compares with what it knows.
"""
import json
import os
import re
import sys

from test_resolve import Interpreter, fail, tool

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def table(version):
    """A table of layout_tables.c, shapes by their names, all fields there are."""
    with open(os.path.join(ROOT, "include/ctrec/layout.h"), encoding="utf-8") as f:
        header = f.read()
    fields = re.findall(r"\b([a-z_0-9]+)[,;]", re.sub(r"/\*.*?\*/", "", header.split("struct ctrec_layout {")[1].split("};")[0], flags=re.S))
    with open(os.path.join(ROOT, "daemon/python/layout_tables.c"), encoding="utf-8") as f:
        text = re.search(r"python_%d_%d = \{(.*?)\};" % version, f.read(), re.S).group(1)
    values = dict.fromkeys(fields, 0)
    for name, value in re.findall(r"\.(\w+) = (\w+)", text):
        values[name] = int(value) if value.isdigit() else value
    return values


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for spec in sys.argv[2:] or ["/usr/bin/python3"]:
        python = Interpreter(spec)
        program = python.install(os.path.join(HERE, "walk_program.py"))
        target = python.start(program)
        version = json.loads(target.stdout.readline())
        layout = table((3, version[1]))
        layout.update([g for g in tool(sys.argv[1], str(target.pid), "-l") if g["kind"] == "layout"][0])
        out, _ = target.communicate(json.dumps(layout) + "\n", timeout=120)
        print(out, end="", flush=True)
        if target.returncode != 0:
            fail("%s: exit status %s" % (spec, target.returncode))


if __name__ == "__main__":
    main()
