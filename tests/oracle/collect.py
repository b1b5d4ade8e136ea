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

PYTHON = sys.version_info[:2]
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
_code_qual = _Code.__dict__.get("co_qualname", _Code.__dict__["co_name"]).__get__
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
    mro = _mro(cls) or ()        # of a type made in C that is not ready
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
    return base, slots, dictd, fields, any(m.__name__ in ("EnumType", "EnumMeta") and m.__module__ == "enum" for m in _mro(_type(cls)))


@cached
def made_in_c(cls):
    """A class with members of a type written in C (functools.partial), which are not described here."""
    return any("__slots__" not in _tdict(k) and any(_type(x) is _member for x in _tdict(k).values()) for k in _mro(cls) or ())


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
        return ["function", _func_qual(v)] if PYTHON < (3, 11) else ["function", _code_qual(_func_code(v)), _func_qual(v)]
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
    return _code_qual(code)


GENERATOR = 0x20 | 0x80 | 0x200


def word(address):
    return ctypes.c_uint64.from_address(address).value


def byte(address):
    return ctypes.c_int8.from_address(address).value


class Frames:
    """What a version says of a frame in memory only. Each of its ways is tried before it is used."""

    def __init__(self):
        if not (3, 8) <= PYTHON <= (3, 14):
            raise SystemExit("collect.py: knows CPython 3.8 to 3.14 only")
        self.monitored = PYTHON >= (3, 12)
        if self.monitored:
            self.offset = 80 if PYTHON >= (3, 14) else 72      # _PyInterpreterFrame.localsplus
            self.check_names()
        else:
            self.check_left()

    @staticmethod
    def left(frame):
        """Up to 3.11: does the frame leave with a value (else by an exception)? Asked in its `return` event."""
        code, lasti = frame.f_code, frame.f_lasti
        if PYTHON == (3, 10):
            return byte(id(frame) + 108) in (-1, 1)           # f_state: suspended, returned
        if lasti >= 0 and code.co_code[lasti] == RETURN_VALUE:
            return True
        if PYTHON == (3, 11):                                 # gi_frame_state, before gi_iframe
            return code.co_code[lasti] == YIELD_VALUE and byte(word(id(frame) + 24) - 5) == -1
        return word(id(frame) + 72) != 0                      # f_stacktop: only where a yield left it

    def check_left(self):
        seen = []

        def trace(frame, event, arg):
            if event == "return":
                seen.append(self.left(frame))
            return trace

        def generator():
            try:
                yield
            except KeyError:
                yield
            [1][1]

        def delegates():
            yield from generator()
        was = sys.gettrace()
        for g in generator(), delegates():
            del seen[:]
            sys.settrace(trace)
            try:
                next(g)
                g.throw(KeyError)
                next(g)
            except IndexError:
                pass
            finally:
                sys.settrace(was)
            if seen not in ([True, True, False], [True, True, True, False, False]):
                raise SystemExit("collect.py: can't tell how frames leave: %s" % seen)

    def names(self, frame):
        """From 3.12 on: the names of a module or class body, and of its comprehensions while they are bound.

        f_locals would have 3.12 write the latter back, and 3.13 gives nothing but them."""
        iframe, code = word(id(frame) + 24), frame.f_code
        lo = ctypes.cast(word(iframe + 40), ctypes.py_object).value
        out = dict(dict.items(lo)) if issubclass(_type(lo), dict) else {}
        for i, k in enumerate(code.co_varnames + tuple(c for c in code.co_cellvars if c not in code.co_varnames)):
            p = word(iframe + self.offset + 8 * i) & ~3
            if not p:
                continue
            v = ctypes.cast(p, ctypes.py_object).value
            if _type(v) is _cell:
                try:
                    v = _cell_get(v)
                except ValueError:
                    continue
            out[k] = v
        return out

    def check_names(self):
        seen = []

        def trace(frame, event, arg):
            if frame.f_code.co_filename == "names" and event == "line":
                seen.append((self.names(frame).get("i"), self.names(frame).get("k")))
            return trace
        was = sys.gettrace()
        sys.settrace(trace)
        try:
            exec(compile("k = [i\n for i in range(2)]\nk = 7\nk = 8", "names", "exec"), {})
        finally:
            sys.settrace(was)
        if (0, None) not in seen or (1, None) not in seen or seen[-2:] != [(None, [0, 1]), (None, 7)]:
            raise SystemExit("collect.py: can't read names: %s" % seen)


class Act:
    """One activation: what was last said of its variables, and how it got where it is."""
    __slots__ = ("code", "last", "excs", "pending", "lasti")

    def __init__(self, code, pending, lasti):
        self.code, self.last, self.excs, self.pending, self.lasti = code, {}, [], pending, lasti


class Collector:
    def __init__(self, out):
        self.frames = Frames()
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.fd = os.dup2(fd, 250, False)     # out of the way: the program's numbers stay as they are
        os.close(fd)
        self.buf, self.most = [], 2000
        self.threads = {}
        self.armed = False
        self.pending = {}      # thread: the activation whose call is not written yet
        self.leaving = {}      # thread: the activation whose end is not written yet

    def put(self, rec):
        self.buf.append(dumps(rec))
        if len(self.buf) > self.most:
            self.flush()

    def end(self):
        """At exit. What was registered before is called after this, and traced, too."""
        self.most = 0
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
        if frame.f_code.co_flags & 1:                    # CO_OPTIMIZED
            return {k: v for k, v in frame.f_locals.items() if not k.startswith(".")}
        if self.frames.monitored:
            lo = self.frames.names(frame)
        else:
            lo = frame.f_locals
            lo = dict(dict.items(lo)) if issubclass(_type(lo), dict) else {}
        return {k: v for k, v in lo.items() if _type(k) is str and not (k.startswith("__") and k.endswith("__"))}

    def call(self, frame, event, arg):
        code = frame.f_code
        if skipped(code.co_filename):
            return None
        if not self.armed:
            self.arm()
        t = self.thread()
        rec = {"e": "call", "t": t, "q": function_name(frame), "f": code.co_filename, "l": code.co_firstlineno, "a": None}
        act = Act(code, rec, frame.f_lasti)
        if self.fresh(frame):
            n = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
            lo = frame.f_locals if code.co_flags & 1 else {}
            rec["a"] = {k: var(lo[k])[0] for k in code.co_varnames[:n] if k in lo and not k.startswith(".")}
        self.settle(t)
        # How it starts is told by what follows: from 3.12 on its PY_START, PY_RESUME or PY_THROW. Up to 3.11
        # a throw is an exception at the same instruction, before anything else in this thread.
        self.pending[t] = act
        return partial(self.local, act, t)

    def fresh(self, frame):
        code = frame.f_code
        if not code.co_flags & GENERATOR or self.frames.monitored:
            return True
        if PYTHON < (3, 11):
            return frame.f_lasti < 0
        # The first RESUME of the body carries 0; at a throw into an unstarted generator the frame still stands
        # at RETURN_GENERATOR.
        return code.co_code[frame.f_lasti] == RESUME and code.co_code[frame.f_lasti + 1] == 0

    def settle(self, t, exc=None):
        """Writes what is held back, if anything: something else happens in this thread."""
        act = self.pending.pop(t, None)
        if act is not None:
            self.put(act.pending)
            act.pending = None
        act = self.leaving.pop(t, None)
        if act is not None:
            self.unwound(t, act, exc)

    def unwound(self, t, act, exc):
        """Up to 3.11. Raised again after others were handled, it is one of them: its caller's event says which."""
        if not any(x is exc for x in act.excs):
            exc = act.excs[-1] if act.excs else None
        self.put({"e": "unw", "t": t, "v": var(exc)[0] if exc is not None else ["unknown"]})

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
            if act.pending is not None and act.code.co_flags & GENERATOR and frame.f_lasti == act.lasti:
                act.pending["x"] = var(arg[1])[0]
                act.pending["a"] = None
            self.settle(t, arg[1])
            act.excs.append(arg[1])
        elif event == "return":
            self.settle(t)
            if self.frames.monitored:
                self.leaving[t] = act
            elif self.frames.left(frame):
                self.put({"e": "ret", "t": t, "v": var(arg)[0]})
            elif len(act.excs) < 2:
                self.unwound(t, act, None)
            else:
                self.leaving[t] = act
        return partial(self.local, act, t)

    def monitor(self):
        """From 3.12 on: events of sys.monitoring, each right after the one sys.settrace has of the same."""
        mon = sys.monitoring
        ev, tool = mon.events, 4
        mon.use_tool_id(tool, "oracle")
        calls = {ev.PY_START: self.on_start, ev.PY_RESUME: self.on_resume, ev.PY_THROW: self.on_throw,
                 ev.PY_RETURN: self.on_return, ev.PY_YIELD: self.on_return, ev.PY_UNWIND: self.on_unwind}
        for number, f in calls.items():
            mon.register_callback(tool, number, f)
        mon.set_events(tool, sum(calls))

    def starts(self, code, offset):
        """The activation whose call event came just before."""
        t = self.threads.get(get_native_id())
        act = self.pending.get(t)
        return (t, act) if act is not None and act.code is code and act.lasti == offset else (t, None)

    def on_start(self, code, offset):
        t, act = self.starts(code, offset)
        if act:
            self.settle(t)

    def on_resume(self, code, offset):
        t, act = self.starts(code, offset)
        if act:
            act.pending["a"] = None
            self.settle(t)

    def on_throw(self, code, offset, exc):
        t, act = self.starts(code, offset)
        if act:
            act.pending["a"], act.pending["x"] = None, var(exc)[0]
            self.settle(t)

    def leaves(self, code, kind, value):
        t = self.threads.get(get_native_id())
        act = self.leaving.get(t)
        if act is not None and act.code is code:
            del self.leaving[t]
            self.put({"e": kind, "t": t, "v": var(value)[0]})

    def on_return(self, code, offset, value):
        self.leaves(code, "ret", value)

    def on_unwind(self, code, offset, exc):
        self.leaves(code, "unw", exc)


RETURN_VALUE, YIELD_VALUE, RESUME = opmap["RETURN_VALUE"], opmap["YIELD_VALUE"], opmap.get("RESUME")


def main():
    out, argv = sys.argv[1], sys.argv[2:]
    col = Collector(out)
    atexit.register(col.end)
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
    # Up to 3.9 another atexit module would take this one's place.
    col.own = {k: sys.modules.pop(k) for k in list(sys.modules) if k not in _preloaded | {"atexit"} and argv[0] != "-m"}
    col.own_main = sys.modules["__main__"]      # its globals are ours: keep them alive
    sys.modules["__main__"] = mod
    if col.frames.monitored:
        col.monitor()
    sys.settrace(col.call)
    exec(code, mod.__dict__)


if __name__ == "__main__":
    main()
