#!/usr/bin/env python3
"""The oracle: what sys.settrace says a program does, as JSON lines.

    collect.py OUT.jsonl SCRIPT [ARG...]      run a file as __main__
    collect.py OUT.jsonl -m MODULE [ARG...]
    collect.py OUT.jsonl -c CODE [ARG...]

Runs the program in this very interpreter. Values are described by type checks
and raw attribute access only: no code of the program (__repr__, __iter__,
__getattr__, properties) is run. The standard library, frozen modules and the
interpreter's start-up are left out, as ctrec leaves them out.

Lines of OUT (t: index of the thread, by order of its first event):
    {"e":"call","t","q":function,"f":file,"l":first line,"a":{name:desc}|null,"x":thrown exception}
    {"e":"line","t","f","l","v":{changed},"d":[gone],"n":objects}
    {"e":"ret","t","v":desc} | {"e":"unw","t","v":exception}
sys.settrace keeps each local alive until the frame's next event (in f_locals), so what a
program destroys with `del` is finalized later here than on its own: programs for the
oracle don't rely on that, nor on the exact depth at which RecursionError comes.

A resume of a generator has "a": null. "v" of a line holds what changed since
this activation's last line. A desc is a list that opens with its kind, see describe().
"""
import sys

_preloaded = set(sys.modules)

import atexit  # noqa: E402
import builtins
import ctypes
import os
from _functools import partial
from _json import encode_basestring_ascii as quoted
from _thread import get_native_id
from opcode import opmap

# The program must import for itself what it needs: the frames of that (the
# "<string>" code objects of namedtuple, import hooks of site-packages) are seen
# by ctrec. So main() forgets what was imported here, and little is.

DEPTH = 5        # levels described: one more than ctrec's own limit
ITEMS = 66       # elements of one container: two more than the limit
TEXT = 300       # characters of one text: more than the limit of 256 bytes
NODES = 300      # objects of one variable, more than an event may visit; beyond that ["cut"]

_here = __file__
_type = type
_mro = _type.__dict__["__mro__"].__get__
_tdict = _type.__dict__["__dict__"].__get__
_qualname = _type.__dict__["__qualname__"].__get__
_exc_args = BaseException.__dict__["args"].__get__


def _samples():
    x = 1

    def function():
        return x

    def generator():
        yield

    async def coroutine():
        pass

    async def asyncgen():
        yield

    c = coroutine()
    c.close()
    return _type(function), _type(generator()), _type(c), _type(asyncgen()), _type(function.__closure__[0])


_Function, _Generator, _Coroutine, _AsyncGen, _cell = _samples()
_Method, _Builtin, _Module, _Code = _type(_samples.__get__(0)), _type(len), _type(sys), _type(_samples.__code__)
_member, _getset = _type(_Function.__globals__), _type(_Function.__code__)
_func_code = _Function.__dict__["__code__"].__get__
_func_qual = _Function.__dict__["__qualname__"].__get__
_meth_func = _Method.__dict__["__func__"].__get__
_bi_name = _Builtin.__dict__["__name__"].__get__
_gen_qual = {k: k.__dict__["__qualname__"].__get__ for k in (_Generator, _Coroutine, _AsyncGen)}
_mod_dict = _Module.__dict__["__dict__"].__get__
_code_qual = _Code.__dict__["co_qualname"].__get__
_cell_get = _cell.__dict__["cell_contents"].__get__


def cached(f):
    """functools.lru_cache without importing functools."""
    memo = {}

    def once(x):
        try:
            return memo[x]
        except KeyError:
            memo[x] = r = f(x)
            return r
    return once


def dumps(x):
    """JSON of what describe() gives: str, int, bool, None, list, dict."""
    t = _type(x)
    if t is str:
        return quoted(x)
    if x is None:
        return "null"
    if t is bool:
        return "true" if x else "false"
    if t is int:
        return int.__repr__(x)
    if t is list:
        return "[%s]" % ",".join([dumps(y) for y in x])
    return "{%s}" % ",".join(["%s:%s" % (quoted(k), dumps(y)) for k, y in x.items()])


@cached
def class_plan(cls):
    """(base builtin to read as, [(slot name, descriptor)], __dict__ descriptor, fields, is enum)"""
    mro = _mro(cls)
    base = None
    for k in mro:
        if k in BASES:
            base = k
            break
    slots, dictd = [], None
    for k in reversed(mro):
        if "__slots__" not in _tdict(k):    # members of types made in C are not fields
            continue
        for name, d in _tdict(k).items():
            if _type(d) is _member and d.__objclass__ is k:
                slots.append((name, d))
    for k in mro:
        d = _tdict(k).get("__dict__")
        if _type(d) is _getset:
            dictd = d
            break
    fields = None
    if base is tuple:
        for k in mro:
            f = _tdict(k).get("_fields")
            if _type(f) is tuple and all(_type(x) is str for x in f):
                fields = f
                break
    return base, slots, dictd, fields, any(m.__name__ == "EnumType" and m.__module__ == "enum" for m in _mro(_type(cls)))


@cached
def made_in_c(cls):
    """A class with members of a type written in C (functools.partial), which are not described here."""
    return any("__slots__" not in _tdict(k) and any(_type(x) is _member for x in _tdict(k).values()) for k in _mro(cls))


BASES = {int, str, bytes, bytearray, float, complex, list, tuple, dict, set, frozenset}


def text(s):
    """The text up to a limit; code points where lone surrogates would be taken for a pair in JSON."""
    s = s[:TEXT]
    for c in s:
        if "\ud800" <= c < "\ue000":
            return [ord(c) for c in s]
    return s if _type(s) is str else str.__str__(s)


class Count:
    __slots__ = ("n",)


def describe(v, depth, seen, count):
    """The value as nested lists; the kind first. Runs none of the program's code."""
    count.n += 1
    if count.n > NODES:
        return ["cut"]
    t = _type(v)
    if v is None:
        return ["none"]
    if t is bool:
        return ["bool", v]
    if t is int:
        return ["int", format(v, "x")]
    if t is str:
        count.n += min(len(v), TEXT) // 64
        return ["str", len(v), text(v)]
    if t is float:
        return ["float", repr(v)]
    if t is complex:
        return ["complex", repr(v)]
    if t is bytes:
        return ["bytes", len(v), v[:TEXT].hex()]
    if t is bytearray:
        return ["bytearray", len(v), bytes(v[:TEXT]).hex()]
    if v is Ellipsis:
        return ["ellipsis"]
    if v is NotImplemented:
        return ["notimplemented"]
    if t is _Function:
        return ["function", _code_qual(_func_code(v)), _func_qual(v)]
    if t is _Method:
        f = _meth_func(v)
        return ["method", _func_qual(f) if _type(f) is _Function else ""]
    if t is _Builtin:
        return ["builtin", _bi_name(v)]
    if t is _Module:
        n = _mod_dict(v).get("__name__")
        return ["module", n if _type(n) is str else ""]
    if issubclass(t, type):
        return ["class", _qualname(v)]
    if t in _gen_qual:
        return ["generator", _gen_qual[t](v)]
    if t is _Code:
        return ["code", _code_qual(v)]
    key = id(v)
    if key in seen:
        return ["cycle"]
    if depth > DEPTH:
        return ["deep"]
    seen = seen | {key}
    d = depth + 1
    if t is list:
        return ["list", len(v), [describe(x, d, seen, count) for x in v[:ITEMS]]]
    if t is tuple:
        return ["tuple", len(v), [describe(x, d, seen, count) for x in v[:ITEMS]]]
    if t is dict:
        return ["dict", len(v), pairs(v, d, seen, count)]
    if t is set or t is frozenset:
        return ["set" if t is set else "frozenset", len(v), [describe(x, d, seen, count) for x in head(t, v)]]
    if t is range:
        return ["range", str(v.start), str(v.stop), str(v.step)]
    if t is slice:
        return ["slice", describe(v.start, d, seen, count), describe(v.stop, d, seen, count), describe(v.step, d, seen, count)]
    if t is _cell:
        try:
            return ["cell", describe(_cell_get(v), d, seen, count)]
        except ValueError:
            return ["cell", None]
    base, slots, dictd, fields, is_enum = class_plan(t)
    attrs = []
    if dictd is not None:
        try:
            own = dictd.__get__(v)
            if _type(own) is dict:
                attrs = [(k, own[k]) for k in list(own)[:ITEMS] if _type(k) is str]
        except (AttributeError, TypeError):
            pass
    for name, m in slots:
        try:
            attrs.append((name, m.__get__(v)))
        except AttributeError:
            attrs.append((name, UNSET))
    count.n += len(attrs)       # the names are objects of the event's budget, too
    qual = _qualname(t)
    inner = None
    if base is int:
        inner = ["int", format(int.__index__(v), "x")]
    elif base is str:
        inner = ["str", str.__len__(v), text(str.__str__(v))]
    elif base is float:
        inner = ["float", float.__repr__(v)]
    elif base is complex:
        inner = ["complex", complex.__repr__(v)]
    elif base is bytes:
        inner = ["bytes", bytes.__len__(v), bytes.__getitem__(v, slice(0, TEXT)).hex()]
    elif base is bytearray:
        inner = ["bytearray", bytearray.__len__(v), bytes(bytearray.__getitem__(v, slice(0, TEXT))).hex()]
    elif base is list:
        inner = ["list", list.__len__(v), [describe(x, d, seen, count) for x in list.__getitem__(v, slice(0, ITEMS))]]
    elif base is tuple:
        inner = ["tuple", tuple.__len__(v), [describe(x, d, seen, count) for x in tuple.__getitem__(v, slice(0, ITEMS))]]
    elif base is dict:
        inner = ["dict", dict.__len__(v), pairs(v, d, seen, count)]
    elif base in (set, frozenset):
        inner = [base.__name__, base.__len__(v), [describe(x, d, seen, count) for x in head(base, v)]]
    if is_enum:
        for k, x in attrs:
            if k == "_name_" and _type(x) is str:
                return ["enum", qual, x, inner or describe(dict(attrs).get("_value_"), d, seen, count)]
    if inner is not None:
        return ["sub", qual, inner, list(fields) if fields else None]
    if issubclass(t, BaseException):
        return ["exc", qual, describe(_exc_args(v), d, seen, count)]
    if attrs or dictd is not None or slots:
        fields = {k: (["unset"] if x is UNSET else describe(x, d, seen, count)) for k, x in attrs}
        return ["object", qual, fields, made_in_c(t)]
    return ["opaque", qual]


UNSET = object()


def head(base, v):
    out = []
    for x in base.__iter__(v):
        if len(out) >= ITEMS:
            break
        out.append(x)
    return out


def pairs(v, d, seen, count):
    out = []
    for k, x in list(dict.items(v))[:ITEMS]:
        out.append([describe(k, d, seen, count), describe(x, d, seen, count)])
    return out


def var(v):
    c = Count()
    c.n = 0
    return describe(v, 0, frozenset(), c), c.n


_version = "python%d.%d" % sys.version_info[:2]


@cached
def skipped(filename):
    """Standard library (lib/pythonX.Y outside site- and dist-packages), frozen modules, this file."""
    if filename.startswith("<frozen ") or filename == _here:
        return True
    parts = filename.split("/")
    if _version in parts:
        i = parts.index(_version)
        if i and parts[i - 1] in ("lib", "lib64"):
            return not {"site-packages", "dist-packages"} & set(parts[i + 1:])
    return False


def function_name(frame):
    code = frame.f_code
    if code.co_name == "<module>":
        n = frame.f_globals.get("__name__")
        return "<%s>" % (n if _type(n) is str else "?")
    return code.co_qualname


GENERATOR = 0x20 | 0x80 | 0x200
SUSPENDED = -1


class GenLayout:
    """Where a 3.11 generator keeps the state of its frame: to tell a yield of None from unwinding."""

    def __init__(self):
        state = {}

        def g():
            state["f"] = sys._getframe()
            yield None

        it = g()
        next(it)
        self.ok = sys.version_info[:2] == (3, 11) and self.state(state["f"]) == SUSPENDED
        it.close()

    @staticmethod
    def state(frame):
        iframe = ctypes.c_uint64.from_address(id(frame) + 24).value
        return ctypes.c_int8.from_address(iframe - 5).value


class Act:
    """One activation: what was last said of its variables, and how it got where it is."""
    __slots__ = ("last", "exc", "exc_lasti", "pending", "lasti")

    def __init__(self):
        self.last, self.exc, self.exc_lasti, self.pending, self.lasti = {}, None, None, None, -1


class Collector:
    def __init__(self, out):
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.fd = os.dup2(fd, 250, False)     # out of the way: the program's numbers stay as they are
        os.close(fd)
        self.buf = []
        self.threads = {}
        self.layout = GenLayout()
        self.armed = False
        self.pending = {}
        if not self.layout.ok:
            raise SystemExit("collect.py: knows generators of CPython 3.11 only")

    def put(self, rec):
        self.buf.append(dumps(rec))
        if len(self.buf) > 2000:
            self.flush()

    def flush(self):
        b, self.buf = self.buf, []
        if b:
            data = ("\n".join(b) + "\n").encode()
            while data:
                data = data[os.write(self.fd, data):]

    def thread(self):
        return self.threads.setdefault(get_native_id(), len(self.threads))

    def locals(self, frame):
        """Names and values as a debugger shows them; no dunders in module and class bodies."""
        lo = frame.f_locals
        if frame.f_code.co_flags & 1:                    # CO_OPTIMIZED
            return {k: v for k, v in lo.items() if not k.startswith(".")}
        return {k: v for k, v in list(dict.items(lo)) if _type(k) is str and not (k.startswith("__") and k.endswith("__"))} \
            if issubclass(_type(lo), dict) else {}

    def call(self, frame, event, arg):
        code = frame.f_code
        if skipped(code.co_filename):
            return None
        if not self.armed:
            self.arm()
        act = Act()
        t = self.thread()
        rec = {"e": "call", "t": t, "q": function_name(frame), "f": code.co_filename, "l": code.co_firstlineno, "a": None}
        gen = code.co_flags & GENERATOR
        fresh = True
        if gen:
            op = code.co_code[frame.f_lasti]
            fresh = op == RESUME and code.co_code[frame.f_lasti + 1] == 0
            first = frame.f_lasti
            # The first RESUME of the body carries 0; at a throw into an unstarted
            # generator the frame still stands at RETURN_GENERATOR.
            if op == RETURN_GENERATOR:
                fresh = False
        if fresh:
            args = {}
            n = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
            lo = frame.f_locals
            for k in code.co_varnames[:n]:
                if k in lo and not k.startswith("."):
                    args[k] = var(lo[k])[0]
            rec["a"] = args
        self.settle(t)
        if gen:
            # A throw is known by an exception at the same instruction, before anything else
            # in this thread.
            act.pending, act.lasti = rec, frame.f_lasti
            self.pending[t] = act
        else:
            self.put(rec)
        return partial(self.local, act, t)

    def settle(self, t):
        """Writes the call that is held back, if any: something else happens in this thread."""
        act = self.pending.pop(t, None)
        if act is not None:
            self.put(act.pending)
            act.pending = None

    def arm(self):
        """New threads are traced as soon as the program has imported threading by itself."""
        threading = sys.modules.get("threading")
        if threading is not None and hasattr(threading, "settrace"):
            self.armed = True
            threading.settrace(self.call)

    def local(self, act, t, frame, event, arg):
        if not self.armed:
            self.arm()
        if event == "line":
            self.settle(t)
            act.exc_lasti = None
            vs, changed, gone, total = self.locals(frame), {}, [], 0
            last = act.last
            for k, v in vs.items():
                d, n = var(v)
                total += n
                if last.get(k) != d:
                    changed[k] = last[k] = d
            if len(last) > len(vs):
                gone = [k for k in last if k not in vs]
                for k in gone:
                    del last[k]
            rec = {"e": "line", "t": t, "f": frame.f_code.co_filename, "l": frame.f_lineno, "v": changed, "n": total}
            if gone:
                rec["d"] = gone
            self.put(rec)
        elif event == "exception":
            if act.pending is not None and frame.f_lasti == act.lasti:
                act.pending["x"] = var(arg[1])[0]
                act.pending["a"] = None
            self.settle(t)
            act.exc, act.exc_lasti = arg[1], frame.f_lasti
        elif event == "return":
            self.settle(t)
            op = frame.f_code.co_code[frame.f_lasti]
            if op == YIELD_VALUE:
                plain = self.layout.state(frame) == SUSPENDED
            else:
                plain = op == RETURN_VALUE
            if plain:
                self.put({"e": "ret", "t": t, "v": var(arg)[0]})
            else:
                self.put({"e": "unw", "t": t, "v": var(act.exc)[0] if act.exc is not None else ["unknown"]})
            act.exc = None
        return partial(self.local, act, t)


RETURN_VALUE, YIELD_VALUE = opmap["RETURN_VALUE"], opmap["YIELD_VALUE"]
RESUME, RETURN_GENERATOR = opmap["RESUME"], opmap["RETURN_GENERATOR"]


def main():
    out, argv = sys.argv[1], sys.argv[2:]
    col = Collector(out)
    atexit.register(col.flush)
    mod = _Module("__main__")
    if argv[0] == "-c":
        code, sys.argv, sys.path[0] = compile(argv[1], "<string>", "exec"), ["-c"] + argv[2:], ""
    elif argv[0] == "-m":
        import runpy
        sys.path[0] = os.getcwd()
        _, spec, code = runpy._get_module_details(argv[1])
        sys.argv = [spec.origin] + argv[2:]
        mod.__file__, mod.__spec__, mod.__package__ = spec.origin, spec, spec.parent
    else:
        with open(argv[0], "rb") as f:
            code = compile(f.read(), argv[0], "exec", dont_inherit=True)
        sys.argv, sys.path[0] = argv, os.path.dirname(os.path.realpath(argv[0]))
        mod.__file__ = argv[0]
    given = mod.__dict__
    if argv[0] not in ("-c", "-m"):
        given["__loader__"] = type(__loader__)("__main__", argv[0])
    given["__annotations__"] = {}
    given["__builtins__"] = builtins
    if "__file__" in given:                     # as `python3 FILE` orders them
        given["__file__"] = given.pop("__file__")
        given["__cached__"] = None
    col.own = {k: sys.modules.pop(k) for k in list(sys.modules) if k not in _preloaded and argv[0] != "-m"}
    col.own_main = sys.modules["__main__"]      # its globals are ours: keep them alive
    sys.modules["__main__"] = mod
    sys.settrace(col.call)
    exec(code, mod.__dict__)


if __name__ == "__main__":
    main()
