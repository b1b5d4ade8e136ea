#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What test_resolve.py looks into: classes and code of every sort, and what this
interpreter (3.8 to 3.14) says of them, as one JSON object on stdout. Then it waits."""
import argparse
import asyncio.base_events
import asyncio.tasks
import collections
import ctypes
import dataclasses
import datetime
import decimal
import difflib
import dis
import enum
import functools
import gc
import importlib._bootstrap
import inspect
import json
import sys
import threading
import tokenize
import types
import typing

MINOR = sys.version_info[1]


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
@dataclasses.dataclass(**({"slots": True} if MINOR > 9 else {}))
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

def many_cells(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, *s, t=1, **u):
    z = a
    return lambda: (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, z)
class Sub(Plain):
    def __init__(self, own=[], *, key=lambda: 1):
        super().__init__()
        local = own
        self.f = lambda: (own, key, local)
        [x for x in own if key]

def walk(code, seen):
    if id(code) in seen: return
    seen[id(code)] = code
    for c in code.co_consts:
        if isinstance(c, types.CodeType): walk(c, seen)
seen = {}
for f in gc.get_objects():
    if isinstance(f, types.FunctionType): walk(f.__code__, seen)
walk(sys._getframe().f_code, seen); walk(long_lines, seen); walk(names, seen)
walk(compile(open(difflib.__file__).read(), "m.py", "exec"), seen)

def instrument(codes):
    """Some code as sys.monitoring leaves it: co_code must not show it."""
    mon, events = sys.monitoring, sys.monitoring.events
    mon.use_tool_id(3, "test")
    local = events.PY_START | events.PY_RETURN | events.PY_YIELD | events.CALL | events.JUMP | events.BRANCH | events.PY_RESUME
    some = [events.LINE, events.INSTRUCTION, local, events.LINE | events.INSTRUCTION, events.LINE | events.INSTRUCTION | local]
    for i, c in enumerate(codes):
        if c is not sys._getframe().f_code and i % 6 < 5:
            mon.set_local_events(3, c, some[i % 6])

def text(s):
    return s.encode("utf-8", "backslashreplace").decode()
addr2line = ctypes.pythonapi.PyCode_Addr2Line
addr2line.argtypes = [ctypes.py_object, ctypes.c_int]
def lines(code):
    size = len(code.co_code)
    out = [addr2line(code, i) for i in range(0, size, 2)]
    if MINOR > 9:
        out = [max(line, 0) for line in out]
        other = [0] * len(out)
        for a, b, line in code.co_lines():
            for i in range(a, b, 2): other[i // 2] = line or 0
        assert out == other, code
    return out
line_tables = {k: lines(c) for k, c in seen.items()}
if MINOR > 11: instrument(list(seen.values()))
FAST_HIDDEN, FAST_LOCAL, FAST_CELL, FAST_FREE = 0x10, 0x20, 0x40, 0x80
def slots(c):
    """Names, kinds, and where the cells of arguments are; for 3.8 to 3.10 as resolve_slots.c defines it."""
    if MINOR > 10:
        names = []
        try:
            while True: names.append(c._varname_from_oparg(len(names)))
        except IndexError:
            pass
        nlocals = len(c.co_varnames)
        kinds = [(FAST_LOCAL if i < nlocals else 0) | (FAST_CELL if n in c.co_cellvars else 0) for i, n in enumerate(names)]
        for i in range(len(names) - len(c.co_freevars), len(names)): kinds[i] = FAST_FREE
        return names, kinds, []
    nargs = c.co_argcount + c.co_kwonlyargcount + bool(c.co_flags & 4) + bool(c.co_flags & 8)
    n = len(c.co_varnames)
    kinds = [FAST_LOCAL] * n + [FAST_CELL] * len(c.co_cellvars) + [FAST_FREE] * len(c.co_freevars)
    cellargs = []
    for k, name in enumerate(c.co_cellvars):
        arg = c.co_varnames.index(name) if name in c.co_varnames[:nargs] else -1
        if k < 16: cellargs.append(arg + 1)
        if arg >= 0 and k < 16:
            kinds[arg] |= FAST_CELL
            kinds[n + k] |= FAST_HIDDEN
        elif arg >= 0:
            kinds[n + k] |= FAST_LOCAL
    return list(c.co_varnames + c.co_cellvars + c.co_freevars), kinds, cellargs
def code_facts(c):
    names, kinds, cellargs = slots(c)
    return dict(filename=text(c.co_filename), name=text(c.co_name), qualname=text(getattr(c, "co_qualname", c.co_name)),
                flags=c.co_flags, firstlineno=c.co_firstlineno, argcount=c.co_argcount,
                kwonlyargcount=c.co_kwonlyargcount, linetable=(c.co_linetable if MINOR > 9 else c.co_lnotab).hex(),
                bytecode=c.co_code.hex(), lines=line_tables[id(c)], names=[text(n) for n in names], kinds=kinds, cellargs=cellargs,
                cellfirst=len(c.co_varnames) if MINOR < 11 else 0)
def type_facts(t):
    plain = t.__dictoffset__ if t.__dictoffset__ > 0 and not t.__itemsize__ and not (MINOR > 10 and t.__flags__ & 16) else 0
    managed = 0 if MINOR < 11 or not t.__flags__ & 16 else 3 if MINOR > 12 and t.__flags__ & 4 else 1
    if managed == 3: plain = t.__basicsize__
    return dict(name=text(t.__qualname__), module=text(t.__module__) if isinstance(t.__module__, str) else "builtins",
                managed=managed, dictoffset=plain)
kinds = {}
def expect(t, **kw):
    kinds[id(t)] = dict(type_facts(t), **kw)
    if kinds[id(t)]["type_kind"] != OBJECT: kinds[id(t)].update(managed=0, dictoffset=0)
OPAQUE, OBJECT, LONG, STR, BYTES, BYTEARRAY, FLOAT, COMPLEX, LIST, TUPLE, DICT, SET, FROZENSET, CLASS, MODULE = range(15)
expect(Plain, type_kind=OBJECT, nslots=0)
expect(Slots, type_kind=OBJECT, nslots=2, fields=["_Slots__y", "x"], offsets=[16, 24])
expect(MoreSlots, type_kind=OBJECT, nslots=3, fields=["_Slots__y", "x", "z"], offsets=[16, 24, 32])
expect(SlotsDict, type_kind=OBJECT, nslots=2)
expect(Empty, type_kind=OBJECT, nslots=0)
expect(ManySlots, type_kind=OBJECT, nslots=24)
expect(SlotsWithMeta, type_kind=OBJECT, nslots=1, fields=["only"])
for t, k in ((Int, LONG), (Str, STR), (Bytes, BYTES), (ByteArray, BYTEARRAY), (Float, FLOAT), (Complex, COMPLEX),
             (List, LIST), (Dict, DICT), (Tuple, TUPLE), (Set, SET), (Frozen, FROZENSET), (Module, MODULE),
             (Meta, CLASS), (int, LONG), (bool, LONG), (str, STR), (dict, DICT), (type, CLASS), (enum.EnumMeta, CLASS),
             (collections.OrderedDict, DICT), (collections.defaultdict, DICT), (collections.Counter, DICT)):
    expect(t, type_kind=k, nslots=0)
expect(WithMeta, type_kind=OBJECT)
for t in (Color, Flag, Odd, StrEnum): expect(t, type_kind=OBJECT, flags=4)
expect(Number, type_kind=LONG, flags=4)
expect(Point, type_kind=TUPLE, flags=2, fields=["x", "y"])
expect(Named, type_kind=TUPLE, flags=2, fields=["one", "größe"])
expect(SubPoint, type_kind=TUPLE, flags=2, fields=["x", "y"])
for t in (Err, ValueError, OSError, KeyError): expect(t, type_kind=OBJECT, flags=9, nslots=1, fields=["args"], offsets=[24])
expect(SlotErr, type_kind=OBJECT, flags=9, nslots=2, fields=["args", "code"])
expect(Data, type_kind=OBJECT, fields=["a", "b"] if MINOR > 9 else [])
inner = outer()
expect(inner, type_kind=OBJECT)
expect(Many, type_kind=OBJECT)
expect(Weird, type_kind=OBJECT)
expect(dynamic, type_kind=OBJECT)
for t in (datetime.datetime, type(threading.Lock()), object, type(iter([])), decimal.Decimal): expect(t, type_kind=OPAQUE)
expect(types.SimpleNamespace, type_kind=OBJECT)
heap = functools.partial.__flags__ & 512
expect(functools.partial, type_kind=OBJECT, fields=["func", "args", "keywords"] if heap else [])
dummy = ctypes.c_void_p.in_dll(ctypes.pythonapi, "_PySet_Dummy").value
cell = type((lambda x: lambda: x)(1).__closure__[0])
statics = [id(x) for x in (None, True, False, ..., NotImplemented)] + [dummy] + [id(x) for x in (
    int, bool, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice, cell,
    types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType, types.CodeType,
    types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, type, object)]
runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
print(json.dumps(dict(code={k: code_facts(c) for k, c in seen.items()}, types=kinds, statics=statics, runtime=runtime, resume=dis.opmap.get("RESUME", -1),
                      version=list(sys.version_info[:3]), level=sys.version_info[3])), flush=True)
sys.stdin.read()
