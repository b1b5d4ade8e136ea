#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ctrec reads out of a live Python against what that Python says of itself.

    test_resolve.py RESOLVE_TOOL [PYTHON [OTHER_PYTHON ...]]

PYTHON (3.11) is looked into while it sleeps: every code object of a few modules
of the standard library, quickened ones among them, and types of every sort. The
other interpreters (3.8 to 3.10) only dump their line tables.
"""
import ast
import functools
import json
import os
import subprocess
import sys
import tempfile

TARGET = r'''
import sys, types, json, enum, collections, typing, dataclasses, re, datetime, threading, functools
import argparse, asyncio.base_events, asyncio.tasks, inspect, decimal, tokenize, difflib

class Plain:
    def __init__(self): self.a = 1
class Slots:
    __slots__ = ("x", "_Slots__y")
class MoreSlots(Slots):
    __slots__ = ("z",)
class SlotsDict(Slots): pass
class Empty: __slots__ = ()
class ManySlots: __slots__ = tuple(f"s{i}" for i in range(40))
class Int(int): pass
class Str(str): pass
class Bytes(bytes): pass
class ByteArray(bytearray): pass
class Float(float): pass
class Complex(complex): pass
class List(list): pass
class Dict(dict): pass
class Tuple(tuple): pass
class Set(set): pass
class Frozen(frozenset): pass
class Module(types.ModuleType): pass
class Meta(type): pass
class WithMeta(metaclass=Meta): pass
class MetaSlots(type):
    def __new__(m, *a): return super().__new__(m, *a)
class SlotsWithMeta(metaclass=MetaSlots): __slots__ = ("only",)
class Color(enum.Enum): RED = 1
class Number(enum.IntEnum): ONE = 1
class Flag(enum.Flag): A = 1
class MyMeta(enum.EnumMeta): pass
class Odd(enum.Enum, metaclass=MyMeta): A = 1
class StrEnum(str, enum.Enum): A = "a"
Point = collections.namedtuple("Point", "x y")
class Named(typing.NamedTuple):
    one: int
    größe: str
class SubPoint(Point):
    extra = 1
class Err(ValueError): pass
class SlotErr(Exception): __slots__ = ("code",)
@dataclasses.dataclass(slots=True)
class Data:
    a: int
    b: str = ""
def outer():
    class Inner: pass
    return Inner
class Many: pass
for i in range(300): setattr(Many, f"attr{i}", i)
Many.__module__ = "moved"
dynamic = type("no dots", (), {"__module__": 3})
class Weird: pass
Weird.__qualname__ = "We\ud800ird\u20ac\U0001f40d"

def hot(n):
    total, d = 0, {"a": 1}
    for i in range(n):
        total += i * 2
        d["a"] = total
        if total < 0: total = len([i])
        Plain().a
        isinstance(total, int)
    return total
hot(3000)
def args(a, /, b, *rest, c=1, **kw):
    def inner(): return a, kw
    return inner
def gen(): yield 1
async def co(): pass
async def agen(): yield 1
exec(compile("größe = 1\ndef f\u03b1\U00010330(é): return é\n", "<string>", "exec"), globals())
exec(compile("x = 1", "a\udc80\U0001f40d.py", "exec"), {})
long_lines = compile("\n" * 5000 + "x = (\n" + "\n" * 3000 + "1)\ny = 2", "long.py", "exec")
names = compile("def f(" + ", ".join(f"a{i}" for i in range(200)) + "): return lambda: a150", "n.py", "exec")

def walk(code, seen):
    if id(code) in seen: return
    seen[id(code)] = code
    for c in code.co_consts:
        if isinstance(c, types.CodeType): walk(c, seen)
def all_code(space, seen):
    for v in list(space.values()):
        if isinstance(v, (staticmethod, classmethod)): v = v.__func__
        if isinstance(v, property): v = v.fget
        if isinstance(v, types.FunctionType): walk(v.__code__, seen)
        elif isinstance(v, type) and v.__module__ == space.get("__name__"): all_code(vars(v), seen)
seen = {}
for m in (argparse, asyncio.base_events, asyncio.tasks, inspect, json.decoder, tokenize, difflib,
          typing, re._parser, dataclasses, sys.modules["__main__"], enum, collections):
    all_code(vars(m), seen)
walk(long_lines, seen); walk(names, seen); walk(compile(open(difflib.__file__).read(), "m.py", "exec"), seen)
import importlib._bootstrap as boot
all_code(vars(boot), seen)

def text(s):
    return s.encode("utf-8", "backslashreplace").decode()
def lines(code):
    out = [0] * (len(code.co_code) // 2)
    for a, b, line in code.co_lines():
        for i in range(a, b, 2): out[i // 2] = line or 0
    return out
def code_facts(c):
    free = set(c.co_freevars) | set(c.co_cellvars)
    return dict(filename=text(c.co_filename), name=text(c.co_name), qualname=text(c.co_qualname),
                flags=c.co_flags, firstlineno=c.co_firstlineno, argcount=c.co_argcount,
                kwonlyargcount=c.co_kwonlyargcount, linetable=c.co_linetable.hex(),
                bytecode=c.co_code.hex(), lines=lines(c),
                names=[text(n) for n in c.co_varnames + tuple(x for x in c.co_cellvars if x not in c.co_varnames) + c.co_freevars],
                cells=sorted(text(n) for n in free))
def type_facts(t):
    return dict(name=text(t.__qualname__), module=text(t.__module__) if isinstance(t.__module__, str) else "builtins")
kinds = {}
def expect(t, **kw):
    kinds[id(t)] = dict(type_facts(t), **kw)
OPAQUE, OBJECT, LONG, STR, BYTES, BYTEARRAY, FLOAT, COMPLEX, LIST, TUPLE, DICT, SET, FROZENSET, CLASS, MODULE = range(15)
expect(Plain, type_kind=OBJECT, managed=1, nslots=0, dictoffset=0)
expect(Slots, type_kind=OBJECT, managed=0, nslots=2, fields=["_Slots__y", "x"], offsets=[16, 24])
expect(MoreSlots, type_kind=OBJECT, nslots=3, fields=["_Slots__y", "x", "z"], offsets=[16, 24, 32])
expect(SlotsDict, type_kind=OBJECT, managed=1, nslots=2)
expect(Empty, type_kind=OBJECT, managed=0, nslots=0, dictoffset=0)
expect(ManySlots, type_kind=OBJECT, nslots=24)
expect(SlotsWithMeta, type_kind=OBJECT, nslots=1, fields=["only"])
for t, k in ((Int, LONG), (Str, STR), (Bytes, BYTES), (ByteArray, BYTEARRAY), (Float, FLOAT), (Complex, COMPLEX),
             (List, LIST), (Dict, DICT), (Tuple, TUPLE), (Set, SET), (Frozen, FROZENSET), (Module, MODULE),
             (Meta, CLASS), (int, LONG), (bool, LONG), (str, STR), (dict, DICT), (type, CLASS), (enum.EnumMeta, CLASS),
             (collections.OrderedDict, DICT), (collections.defaultdict, DICT), (collections.Counter, DICT)):
    expect(t, type_kind=k, nslots=0)
expect(WithMeta, type_kind=OBJECT, managed=1)
for t in (Color, Flag, Odd, StrEnum): expect(t, type_kind=OBJECT, managed=1, flags=4)
expect(Number, type_kind=LONG, flags=4)
expect(Point, type_kind=TUPLE, flags=2, fields=["x", "y"])
expect(Named, type_kind=TUPLE, flags=2, fields=["one", "größe"])
expect(SubPoint, type_kind=TUPLE, flags=2, fields=["x", "y"])
for t in (Err, ValueError, OSError, KeyError): expect(t, type_kind=OBJECT, flags=9, nslots=1, fields=["args"], offsets=[24], dictoffset=16)
expect(SlotErr, type_kind=OBJECT, flags=9, nslots=2, fields=["args", "code"])
expect(Data, type_kind=OBJECT, fields=["a", "b"])
inner = outer()
expect(inner, type_kind=OBJECT)
expect(Many, type_kind=OBJECT)
expect(Weird, type_kind=OBJECT)
expect(dynamic, type_kind=OBJECT)
for t in (datetime.datetime, type(threading.Lock()), object, type(iter([])), decimal.Decimal): expect(t, type_kind=OPAQUE)
expect(types.SimpleNamespace, type_kind=OBJECT, dictoffset=16)
expect(functools.partial, type_kind=OBJECT, fields=["func", "args", "keywords"])
import ctypes
dummy = ctypes.c_void_p.in_dll(ctypes.pythonapi, "_PySet_Dummy").value
cell = type((lambda x: lambda: x)(1).__closure__[0])
statics = [id(x) for x in (None, True, False, ..., NotImplemented)] + [dummy] + [id(x) for x in (
    int, bool, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice, cell,
    types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType, types.CodeType,
    types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, type, object)]
runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
print(json.dumps(dict(code={k: code_facts(c) for k, c in seen.items()}, types=kinds, statics=statics, runtime=runtime)), flush=True)
sys.stdin.read()
'''

DUMP = r'''
import sys, types, json, difflib, argparse, inspect, tokenize, asyncio.tasks
def walk(code, out):
    out.append(code)
    for c in code.co_consts:
        if isinstance(c, types.CodeType): walk(c, out)
out = []
for m in (difflib, argparse, inspect, tokenize, asyncio.tasks, json.decoder):
    walk(compile(open(m.__file__, encoding="utf-8").read(), m.__file__, "exec"), out)
walk(compile("\n" * 5000 + "x = (\n" + "\n" * 3000 + "1)\ny = 2\n" + "z = 1;" * 400 + "\nw = 1", "long.py", "exec"), out)
def lines(code):
    table = [0] * (len(code.co_code) // 2)
    if hasattr(code, "co_lines"):
        for a, b, line in code.co_lines():
            for i in range(a, b, 2): table[i // 2] = line or 0
    else:
        at, line, changes = 0, code.co_firstlineno, []
        for addr, delta in zip(code.co_lnotab[::2], code.co_lnotab[1::2]):
            at += addr
            line += delta - 256 if delta >= 128 else delta
            changes.append((at, line))
        for i in range(len(table)):
            now = [l for a, l in changes if a <= 2 * i]
            table[i] = now[-1] if now else code.co_firstlineno
    return table
version = sys.version_info[0] << 8 | sys.version_info[1]
for c in out:
    raw = c.co_linetable if hasattr(c, "co_linetable") else c.co_lnotab
    print(json.dumps([version, c.co_firstlineno, len(c.co_code), raw.hex(), lines(c)]))
'''


def fail(message):
    print("FAIL", message)
    sys.exit(1)


def same(what, got, want):
    if got != want:
        fail(f"{what}: {got!r:.400}, not {want!r:.400}")


def tool(*args, **kw):
    out = subprocess.run(args, check=True, capture_output=True, text=True, timeout=120, **kw).stdout
    return [json.loads(line) for line in out.splitlines()]


def check_code(got, want):
    what = f"{want['filename']}:{want['qualname']}"
    same(what + " state", (got["state"], got["def_plan"]), (1, 0))
    for key in ("filename", "name", "qualname", "flags", "firstlineno", "argcount",
                "kwonlyargcount", "linetable", "bytecode", "lines"):
        same(f"{what} {key}", got[key], want[key])
    names = got["names"].split("\0")[:-1]
    same(what + " names", names, want["names"])
    same(what + " cells", sorted(n for i, n in enumerate(names) if i < 64 and got["cellmask"] >> i & 1),
         sorted(n for n in want["cells"] if names.index(n) < 64))
    flags = want["flags"]
    same(what + " nargs", got["nargs"], want["argcount"] + want["kwonlyargcount"] + bool(flags & 4) + bool(flags & 8))
    same(what + " plan", got["plan"], 2 * (not flags & 1) + 4 * bool(flags & 0x2a0) + 8 * (want["name"] == "<module>"))
    code = bytes.fromhex(want["bytecode"])
    same(what + " firsttraceable", code[2 * got["firsttraceable"]], 151)


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
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program.py")
        with open(program, "w", encoding="utf-8", errors="surrogatepass") as f:
            f.write(TARGET)
        target = subprocess.Popen([python, "-I", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            line = target.stdout.readline()
            if not line:
                fail("the target ended early")
            facts = json.loads(line)
            run_live(resolve, target.pid, facts, program)
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
    sources = [g for g in got if g["kind"] == "source"]
    got = [g for g in got if g["kind"] != "source"]
    same("answers", len(got), len(args))
    for g, want in zip(got, code.values()):
        check_code(g, want)
    for g, want in zip(got[len(code):], types.values()):
        check_type(g, want)
    same("own source", [s["text_len"] for s in sources if s["path"] == program], [os.path.getsize(program)])
    same("sources once", len({s["path"] for s in sources}), len(sources))
    skip_live(resolve, pid, code)
    wrong = [f"{k}:{a}" for k in ("code", "type") for a in (0, 1, 4096, 2**64 - 8, facts["statics"][0], *list(types)[:3])]
    bad = tool(resolve, str(pid), "-a", *[w for w in wrong if not (w.startswith("type") and w[5:] in types)])
    same("not readable", {b["state"] for b in bad if b["kind"] != "python"}, {2})
    lines = sum(len(c["lines"]) for c in code.values())
    print(f"{info['version_text']}: {len(code)} code objects, {lines} instructions, {len(types)} types, {len(sources)} sources")


def skip_live(resolve, pid, code):
    """Without -a the standard library and frozen modules are skipped, the program is not."""
    got = [g for g in tool(resolve, str(pid), *[f"code:{a}" for a in code]) if g["kind"] == "code"]
    for g in got:
        name = g["filename"]
        library = name.startswith("<frozen") or "/lib/python3.11/" in name
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
        target = subprocess.Popen([python, "-I", "-c", SOURCES, folder, *names], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
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


def check_tables(resolve, python):
    out = subprocess.run([python, "-I", "-c", DUMP], check=True, capture_output=True, text=True).stdout
    want = [json.loads(line) for line in out.splitlines()]
    text = "".join(f"{v} {first} {size} {table}\n" for v, first, size, table, _ in want)
    got = tool(resolve, "-t", input=text)
    same("tables", len(got), len(want))
    for g, w in zip(got, want):
        same(f"{python} table from {w[1]}", g["lines"], w[4])
    print(f"{python}: {len(want)} line tables, {sum(len(w[4]) for w in want)} instructions")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    resolve, python, *others = sys.argv[1], *(sys.argv[2:] or ["/usr/bin/python3.11"])
    ast.parse(TARGET)
    check_live(resolve, python)
    check_sources(resolve, python)
    for other in [python, *others]:
        check_tables(resolve, other)


main()
