#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ctrec reads out of a live Python against what that Python says of itself.

    test_resolve.py RESOLVE_TOOL [PYTHON ...]

Each PYTHON, a path or ROOT:PATH for one inside a folder made with debootstrap, is
looked into while it sleeps: every code object of the loaded modules, quickened and
instrumented ones among them, and types of every sort. Those of a version without
a table must be refused by name.
"""
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile

def fail(message):
    print("FAIL", message)
    sys.exit(1)


def same(what, got, want):
    if got != want:
        fail(f"{what}: {got!r:.400}, not {want!r:.400}")


def tool(*args, **kw):
    out = subprocess.run(args, check=True, capture_output=True, text=True, timeout=120, **kw).stdout
    return [json.loads(line) for line in out.splitlines()]


HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "resolve_program.py")
FAST_HIDDEN, FAST_LOCAL, FAST_CELL, FAST_FREE = 0x10, 0x20, 0x40, 0x80


class Interpreter:
    """How one is started, and a folder it sees."""

    def __init__(self, spec):
        self.root, _, self.path = spec.rpartition(":")
        self.argv = (["chroot", self.root] if self.root else []) + [self.path]
        self.holder = tempfile.TemporaryDirectory(dir=self.root + "/tmp" if self.root else None)
        self.folder = self.holder.name[len(self.root):]
        os.chmod(self.holder.name, 0o755)

    def start(self, *args):
        return subprocess.Popen([*self.argv, "-I", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def install(self, program):
        shutil.copy(program, self.holder.name)
        return os.path.join(self.folder, os.path.basename(program))

    def run(self, *args):
        return subprocess.run([*self.argv, "-I", *args], check=True, capture_output=True, text=True, timeout=120).stdout


def check_code(got, want, resume):
    what = f"{want['filename']}:{want['qualname']}"
    same(what + " state", (got["state"], got["def_plan"]), (1, 0))
    for key in ("filename", "name", "qualname", "flags", "firstlineno", "argcount",
                "kwonlyargcount", "linetable", "bytecode", "lines", "cellfirst"):
        same(f"{what} {key}", got[key], want[key])
    names = got["names"].split("\0")[:-1]
    same(what + " names", names, want["names"])
    kinds, hide = bytes.fromhex(got["kinds"]), 0xf0 if want["cellargs"] else 0xe0
    same(what + " kinds", [k & hide for k in kinds], want["kinds"])
    cells = sum(1 << i for i, k in enumerate(kinds[:64]) if k & (FAST_CELL | FAST_FREE))
    same(what + " cells", got["cellmask"], cells)
    same(what + " cellargs", got["cellargs"], (want["cellargs"] + [0] * 16)[:16])
    flags = want["flags"]
    same(what + " nargs", got["nargs"], want["argcount"] + want["kwonlyargcount"] + bool(flags & 4) + bool(flags & 8))
    same(what + " plan", got["plan"], 2 * (not flags & 1) + 4 * bool(flags & 0x2a0) + 8 * (want["name"] == "<module>"))
    code = bytes.fromhex(want["bytecode"])
    if resume < 0:
        same(what + " firsttraceable", got["firsttraceable"], 0)
    elif 2 * got["firsttraceable"] < len(code):
        same(what + " firsttraceable", code[2 * got["firsttraceable"]], resume)


def check_type(got, want):
    what = f"type {want['name']}"
    same(what + " state", got["state"], 1)
    for key, value in want.items():
        if key == "fields":
            same(f"{what} fields", got["fields"].split("\0")[:-1], value)
        elif key == "offsets":
            same(f"{what} offsets", got["slots"], value)
        elif key == "flags":
            same(f"{what} flags", got["flags"], value)
        else:
            same(f"{what} {key}", got[key], value)


def check_live(resolve, python):
    program = python.install(PROGRAM)
    target = python.start(program)
    try:
        line = target.stdout.readline()
        if not line:
            fail("the target ended early")
        run_live(resolve, target.pid, json.loads(line), program)
    finally:
        target.kill()
        target.wait()


def run_live(resolve, pid, facts, program):
    code, types = facts["code"], facts["types"]
    args = [f"code:{a}" for a in code] + [f"type:{a}" for a in types]
    got = tool(resolve, str(pid), "-a", *args)
    info = got.pop(0)
    same("statics", info["statics"], facts["statics"])
    same("runtime", info["runtime"], facts["runtime"])
    version = facts["version"]
    same("version", (info["version"], info["version_text"]), (version[0] << 8 | version[1], "%d.%d.%d" % tuple(version)))
    sources = [g for g in got if g["kind"] == "source"]
    got = [g for g in got if g["kind"] != "source"]
    same("answers", len(got), len(args))
    for g, want in zip(got, code.values()):
        check_code(g, want, facts["resume"])
    for g, want in zip(got[len(code):], types.values()):
        check_type(g, want)
    same("own source", [s["text_len"] for s in sources if s["path"] == program], [os.path.getsize(PROGRAM)])
    same("sources once", len({s["path"] for s in sources}), len(sources))
    skip_live(resolve, pid, code, "/lib/python%d.%d/" % tuple(version[:2]))
    wrong = [f"{k}:{a}" for k in ("code", "type") for a in (0, 1, 4096, 2**64 - 8, facts["statics"][0], *list(types)[:3])]
    bad = tool(resolve, str(pid), "-a", *[w for w in wrong if not (w.startswith("type") and w[5:] in types)])
    same("not readable", {b["state"] for b in bad if b["kind"] != "python"}, {2})
    lines = sum(len(c["lines"]) for c in code.values())
    print(f"{info['version_text']}: {len(code)} code objects, {lines} instructions, {len(types)} types, {len(sources)} sources", flush=True)


def skip_live(resolve, pid, code, lib):
    """Without -a the standard library and frozen modules are skipped, the program is not."""
    got = [g for g in tool(resolve, str(pid), *[f"code:{a}" for a in code]) if g["kind"] == "code"]
    for g in got:
        name = g["filename"]
        library = name.startswith("<frozen") or lib in name and "/site-packages/" not in name
        same(f"skip {name}", (g["plan"] & 1, g["def_plan"] & 1), (library, library))


SOURCES = r'''
import os, sys, json
os.chdir(sys.argv[1])
keep = [compile("1", name, "exec") for name in sys.argv[2:]]
print(json.dumps([id(c) for c in keep]), flush=True)
sys.stdin.read()
'''


def check_sources(resolve, python):
    """Which source files are read, with whose rights."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        at = functools.partial(os.path.join, folder)
        for name, mode, size in (("open.py", 0o644, 3), ("secret.py", 0o600, 4), ("big.py", 0o644, (4 << 20) + 1)):
            with open(at(name), "w") as f:
                f.write("#" * size)
            os.chmod(at(name), mode)
        os.mkfifo(at("fifo.py"))
        os.symlink("open.py", at("link.py"))
        os.symlink("/proc/self/environ", at("odd.py"))
        os.mkdir(at("folder.py"))
        names = ["open.py", at("open.py"), at("secret.py"), at("big.py"), at("fifo.py"), at("link.py"), at("odd.py"),
                 at("folder.py"), at("gone.py"), "/dev/zero", "/proc/self/mem", "<string>", "", "../" + at("open.py")]
        target = python.start("-c", SOURCES, folder, *names)
        try:
            codes = [f"code:{a}" for a in json.loads(target.stdout.readline())]
            for user, more in (("0", [(at("secret.py"), 4)]), ("65534", [])):
                if user != str(os.geteuid()) and os.geteuid() != 0:
                    continue
                got = tool(resolve, str(target.pid), "-u", user, *codes)
                got = [(g["path"], g["text_len"]) for g in got if g["kind"] == "source"]
                want = [("open.py", 3), (at("open.py"), 3), (at("link.py"), 3)] + more
                same(f"sources for user {user}", sorted(got), sorted(want))
                print(f"sources for user {user}: {len(got)} of {len(names)} names")
        finally:
            target.kill()
            target.wait()


def check_opcodes(python):
    """The table of instructions is what this interpreter's opcode module says."""
    if json.loads(python.run("-c", "import sys; print(sys.version_info[1])")) < 11:
        return
    script = python.install(os.path.join(os.path.dirname(HERE), "opcode_tables.py"))
    tables = python.install(os.path.join(os.path.dirname(os.path.dirname(HERE)), "daemon/python/opcode_tables.c"))
    print(python.run(script, tables), end="", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    resolve = sys.argv[1]
    pythons = [Interpreter(p) for p in sys.argv[2:] or ["/usr/bin/python3"]]
    for python in pythons:
        check_opcodes(python)
        check_live(resolve, python)
    native = [p for p in pythons if not p.root]
    if native:
        check_sources(resolve, native[0])


if __name__ == "__main__":
    main()
