#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A walker of frames and objects in Python: reads its own process by a layout (one JSON
object on stdin, the fields of struct ctrec_layout) and compares with what is true.
It is also the shortest statement of what a walker does, version by version."""
import ctypes
import json
import struct
import sys

MINOR = sys.version_info[1]
print(json.dumps(list(sys.version_info[:3])), flush=True)
L = json.loads(sys.stdin.readline())
RUNTIME = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
checks = 0


def same(what, got, want):
    global checks
    checks += 1
    if got != want:
        print("FAIL %s: %.300r, not %.300r" % (what, got, want), flush=True)
        sys.exit(1)


def data(addr, n):
    return ctypes.string_at(addr, n)


def u64(addr):
    return struct.unpack("<Q", data(addr, 8))[0]


def i64(addr):
    return struct.unpack("<q", data(addr, 8))[0]


def u32(addr):
    return struct.unpack("<I", data(addr, 4))[0]


def i32(addr):
    return struct.unpack("<i", data(addr, 4))[0]


def u8(addr):
    return data(addr, 1)[0]


# ---- objects

def read_int(p):
    if L["long_kind"] == "CTL_LONG_SIZE":
        size = i64(p + L["long_size"])
        n, negative = abs(size), size < 0
    else:
        tag = u64(p + L["long_size"])
        n, negative = tag >> 3, tag & 3 == 2
    value = sum(u32(p + L["long_digit"] + 4 * i) << 30 * i for i in range(n))
    return -value if negative else value


def read_str(p):
    n, state = u64(p + L["str_length"]), u32(p + L["str_state"])
    kind = state >> L["str_kind_shift"] & 7
    if not state >> L["str_compact_shift"] & 1:
        at = u64(p + L["str_any"])
    else:
        at = p + (L["str_ascii_data"] if state >> L["str_ascii_shift"] & 1 else L["str_compact_data"])
    return data(at, n * kind).decode({1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[kind], "surrogatepass")


def read_entries(keys):
    """Where a keys table's entries lie: address, their number, bytes of one, where in it the key is."""
    n = u64(keys + L["keys_nentries"])
    if L["keys_form"] == "CTL_KEYS_SIZE":
        size = u64(keys + L["keys_size"])
        index = size * (1 if size <= 0xff else 2 if size <= 0xffff else 4 if size <= 0xffffffff else 8)
        return keys + L["keys_indices"] + index, n, 24, 8
    at = keys + L["keys_indices"] + (1 << u8(keys + L["keys_log2_index_bytes"]))
    return (at, n, 24, 8) if u8(keys + L["keys_kind"]) == 0 else (at, n, 16, 0)


def read_pairs(keys, values):
    """values: address of the first value of a split table; 0: they stand in the entries."""
    at, n, size, key = read_entries(keys)
    out = {}
    for i in range(n):
        value = u64(values + 8 * i) if values else u64(at + i * size + key + 8)
        if value:
            out[read(u64(at + i * size + key))] = read(value)
    return out


def read_dict(p):
    values = u64(p + L["dict_values"])
    return read_pairs(u64(p + L["dict_keys"]), values + L["values_first"] if values else 0)


def read_set(p):
    out, table = set(), u64(p + L["set_table"])
    for i in range(u64(p + L["set_mask"]) + 1):
        entry = table + i * L["setentry_size"]
        if u64(entry) and i64(entry + L["setentry_hash"]) != -1:
            out.add(read(u64(entry)))
    same("set_used", u64(p + L["set_used"]), len(out))
    return out


def read_instance(p):
    """The attributes in the dict or the inline values of an instance."""
    tp = u64(p + 8)
    flags, offset = u64(tp + L["type_flags"]), i64(tp + L["type_dictoffset"])
    kind, keys, values, d = L["instance_kind"], 0, 0, 0
    if kind == "CTL_INSTANCE_PLAIN" or not flags & 16:
        d = u64(p + offset) if offset > 0 else 0
    elif kind == "CTL_INSTANCE_BEFORE":
        values, d = u64(p - L["object_values"]), u64(p - L["object_dict"])
    elif kind == "CTL_INSTANCE_TAGGED":
        word = u64(p - L["object_dict"])
        values, d = (word + 1, 0) if word & 1 else (0, word)
    else:
        d = u64(p - L["object_dict"])
        inline = p + u64(tp + L["type_basicsize"])
        if not d and flags & 4 and u8(inline + L["values_valid"]):
            values = inline
    if values:
        return read_pairs(u64(tp + L["heaptype_cached_keys"]), values + L["values_first"])
    return read_dict(d) if d else {}


def read_seq(at, n):
    return [read(u64(at + 8 * i)) for i in range(n)]


def read(p):
    return READERS.get(u64(p + 8), lambda p: ctypes.cast(p, ctypes.py_object).value)(p)


READERS = {id(t): f for t, f in {
    int: read_int, str: read_str, dict: read_dict, set: read_set,
    frozenset: lambda p: frozenset(read_set(p)),
    float: lambda p: struct.unpack("<d", data(p + L["float_value"], 8))[0],
    complex: lambda p: complex(*struct.unpack("<dd", data(p + L["complex_value"], 16))),
    bytes: lambda p: data(p + L["bytes_data"], u64(p + L["bytes_size"])),
    bytearray: lambda p: bytearray(data(u64(p + L["bytearray_start"]), u64(p + L["bytearray_size"]))),
    list: lambda p: read_seq(u64(p + L["list_items"]), u64(p + L["list_size"])),
    tuple: lambda p: tuple(read_seq(p + L["tuple_items"], u64(p + L["tuple_size"]))),
    range: lambda p: range(*read_seq(p + L["range_start"], 3)),
    slice: lambda p: slice(*read_seq(p + L["slice_start"], 3)),
}.items()}


class Sub(str):
    pass


class Plain:
    def __init__(self, n):
        for i in range(n):
            setattr(self, "a%d" % i, i * 1000)


class Slotted:
    __slots__ = ("x", "__dict__")


class Int(int):
    pass


class Many:
    """More attributes than a class shares keys for."""


def check_objects():
    values = [0, 1, -1, 5, 256, 257, -5, -6, 2**30 - 1, 2**30, -2**30, 2**60, 2**61 + 7, -2**1000, 10**300, True, False,
              1.5, -0.0, 3 - 4j, "", "a", "ascii text", "größe", "\u20ac", "\U0001f40d x", "\ud800", b"", b"abc\0d",
              bytearray(b"xyz"), [], [1, [2, "x"]], (), (1, (2,)), {}, {"a": 1}, {1: 2, "x": [3]}, {(1, 2): None},
              set(), {1, 2, 3}, frozenset("abc"), range(3, 10, 2), slice(1, None, 2), None, ..., "x" * 5000, list(range(300))]
    values += [{i: i for i in range(n)} for n in (5, 6, 100, 200, 300, 50000)]
    values += [{str(i): i for i in range(n)} for n in (5, 6, 100, 50000)]
    moved = bytearray(b"0123456789")
    del moved[:3]
    deleted = {str(i): i for i in range(20)}
    for i in range(0, 20, 3):
        del deleted[str(i)]
    holes = set(range(100))
    holes -= set(range(0, 100, 2))
    grown = {i for i in range(1000)}
    for v in [*values, moved, deleted, holes, grown]:
        got = read(id(v))
        if isinstance(v, (set, frozenset)):  # in whatever order
            got, v = sorted(got), sorted(v)
        same("value of %s" % type(v).__name__, repr(got), repr(v))
    for v in (Sub("abc"), Sub("größe"), Sub("\u20ac"), Sub("")):
        same("str subclass", read_str(id(v)), str(v))
    for v in (Int(5), Int(-2**70)):
        same("int subclass", read_int(id(v)), int(v))
    same("small ints known", L["runtime_small_ints"] != 0, MINOR > 10)
    if L["runtime_small_ints"]:
        for i in range(-5, 257):
            same("small int %d" % i, id(i), RUNTIME + L["runtime_small_ints"] + (i + 5) * L["small_int_size"])


def check_instances():
    made = [Plain(n) for n in (0, 1, 3, 10, 40)] + [Plain(3) for _ in range(20)]
    for p in made:
        same("instance", read_instance(id(p)), {"a%d" % i: i * 1000 for i in range(len(vars_of(p)))})
    one, two, three, four = Plain(3), Plain(3), Plain(3), Plain(3)
    del one.a1
    same("deleted attribute", read_instance(id(one)), {"a0": 0, "a2": 2000})
    two.__dict__["new"] = "x"
    same("materialised dict", read_instance(id(two)), dict(two.__dict__))
    three.__dict__ = {"other": 1}
    same("replaced dict", read_instance(id(three)), {"other": 1})
    held = four.__dict__
    four.late = [1]
    same("dict held", (read_instance(id(four)), read_dict(id(held))), (held, held))
    s = Slotted()
    s.x, s.y = 1, 2
    same("slots and dict", read_instance(id(s)), {"y": 2})
    many = Many()
    for i in range(200):
        setattr(many, "m%d" % i, i)
    same("many attributes", read_instance(id(many)), {"m%d" % i: i for i in range(200)})
    e = ValueError("text", 3)
    e.note = 5
    same("exception", (read(u64(id(e) + L["exc_args"])), read_instance(id(e))), (("text", 3), {"note": 5}))


def vars_of(p):
    return [n for n in dir(p) if n[0] == "a"]


def check_callables():
    def inner():
        return cell
    cell = [1, 2]
    f = id(inner)
    same("function", (read(u64(f + L["func_name"])), read(u64(f + L["func_qualname"])), u64(f + L["func_code"])),
         ("inner", "check_callables.<locals>.inner", id(inner.__code__)))
    same("cell", u64(id(inner.__closure__[0]) + L["cell_value"]), id(cell))
    m = Plain(1).__init__
    same("method", (u64(id(m) + L["method_func"]), u64(id(m) + L["method_self"])), (id(Plain.__init__), id(m.__self__)))
    same("builtin", ctypes.string_at(u64(u64(id(len) + L["cfunction_def"]) + L["methoddef_name"])), b"len")
    same("module", (read(u64(id(json) + L["module_name"])), u64(id(json) + L["module_dict"])), ("json", id(json.__dict__)))
    same("type", (ctypes.string_at(u64(id(Plain) + L["type_name"])), read(u64(id(Plain) + L["heaptype_qualname"])),
                  u64(id(Plain) + L["type_base"]), read(u64(id(Plain) + L["type_mro"]))), (b"Plain", "Plain", id(object), Plain.__mro__))


# ---- frames

ctypes.pythonapi.PyThreadState_Get.restype = ctypes.c_void_p


def callers_frame():
    """The frame that calls this: this one's own is gone when it returns."""
    ts = ctypes.pythonapi.PyThreadState_Get()
    if L["runtime_tstate_current"]:
        same("current thread state", u64(RUNTIME + L["runtime_tstate_current"]), ts)
    interp = u64(ts + L["tstate_interp"])
    same("main interpreter", u64(RUNTIME + L["runtime_interpreters_main"]), interp)
    same("interpreters", u64(RUNTIME + L["runtime_interpreters_head"]), interp)
    same("next interpreter", u64(interp + L["interp_next"]), 0)
    same("interpreter's id", u64(interp + L["interp_id"]), 0)
    same("threads", u64(interp + L["interp_threads_head"]), ts)
    gil = u64(interp + L["interp_gil"]) if L["interp_gil"] else RUNTIME + L["runtime_gil"]
    same("GIL", (u64(gil + L["gil_last_holder"]), u32(gil + L["gil_locked"])), (ts, 1))
    if L["tstate_native_thread_id"]:
        import threading
        same("native thread", u64(ts + L["tstate_native_thread_id"]), threading.get_native_id())
    # no Python function may run between here and the reading of a frame: it would be the running one
    word = ctypes.c_uint64.from_address
    own = word(ts + L["tstate_frame"]).value if L["tstate_frame"] else word(
        word(ts + L["tstate_cframe"]).value + L["cframe_current_frame"]).value
    same("running frame", ref(own + L["frame_code"]), id(sys._getframe().f_code))
    return u64(own + L["frame_previous"])


def frames(f):
    """Frames from the current one down, those that run code."""
    while f:
        if not L["frame_owner_none"] or u8(f + L["frame_owner"]) < L["frame_owner_none"]:
            yield f
        f = u64(f + L["frame_previous"])


def ref(addr):
    return u64(addr) & ~L["frame_ref_mask"]


def lasti(f):
    at = f + L["frame_prev_instr"]
    if L["lasti_kind"] == "CTL_LASTI_BYTES":
        return i32(at)
    if L["lasti_kind"] == "CTL_LASTI_UNITS":
        return 2 * i32(at)
    return u64(at) - (ref(f + L["frame_code"]) + L["code_code"])


def slots(f):
    """Addresses in the variables' slots, cells opened; captured arguments as cellargs has them."""
    code = ctypes.cast(ref(f + L["frame_code"]), ctypes.py_object).value
    base = f + L["frame_localsplus"]
    out = {}
    if MINOR > 10:
        names = []
        try:
            while True:
                names.append(code._varname_from_oparg(len(names)))
        except IndexError:
            pass
        cells = [n in code.co_cellvars or n in code.co_freevars for n in names]
    else:
        names = list(code.co_varnames + code.co_cellvars + code.co_freevars)
        cells = [i >= len(code.co_varnames) for i in range(len(names))]
    for i, name in enumerate(names):
        p = ref(base + 8 * i)
        if p and cells[i] and u64(p + 8) == id(CELL):
            p = u64(p + L["cell_value"])
        if p or name not in out:
            out[name] = p
    return {n: p for n, p in out.items() if p}


CELL = type((lambda x: lambda: x)(1).__closure__[0])


def check_frame(f, frame):
    """One frame against the interpreter's own view of it."""
    code = frame.f_code
    what = "frame of %s" % code.co_name
    same(what + ": code", ref(f + L["frame_code"]), id(code))
    same(what + ": globals", u64(f + L["frame_globals"]), id(frame.f_globals))
    same(what + ": builtins", u64(f + L["frame_builtins"]), id(frame.f_builtins))
    same(what + ": lasti", lasti(f), frame.f_lasti)
    if L["frame_kind"] == "CTL_FRAME_OBJECT":
        same(what + ": object", f, id(frame))
    else:
        same(what + ": object", (u64(f + L["frame_frame_obj"]), u64(id(frame) + L["frameobj_frame"])), (id(frame), f))
    if not code.co_flags & 1:
        same(what + ": names", u64(f + L["frame_locals"]), id(frame.f_locals))


def variables(want):
    """Called last in a function under test: its frame, and its variables' addresses."""
    own = sys._getframe()
    found = list(frames(callers_frame()))
    chain, frame = [], own
    while frame:
        chain.append(frame)
        frame = frame.f_back
    for f, frame in zip(found, chain):
        check_frame(f, frame)
    same("depth", len(found), len(chain))
    got = slots(found[1])
    same("variables of " + own.f_back.f_code.co_name, got, {n: id(v) for n, v in want.items()})


def plain(a, b=2, *rest, key=3, **kw):
    local, unset = [a], 1
    del unset
    variables(dict(a=a, b=b, rest=rest, key=key, kw=kw, local=local))


def captured(a, b, *rest, key=3, **kw):
    local = {}
    c = 5
    use = lambda: (b, key, kw, local)  # noqa: E731
    variables(dict(a=a, b=b, rest=rest, key=key, kw=kw, local=local, c=c, use=use))
    b = "changed"

    def inner(x):
        nonlocal local
        local = 7
        variables(dict(b=b, local=local, x=x))
    inner(1)
    variables(dict(a=a, b=b, rest=rest, key=key, kw=kw, local=local, c=c, use=use, inner=inner))


def through_c(x):
    y = 1
    list(map(lambda q: variables(dict(q=q)), [x]))
    sorted([1], key=lambda q: plain(q) or 0)
    variables(dict(x=x, y=y))


def generator(a):
    b = 1
    yield a
    variables(dict(a=a, b=b))
    yield b


def check_generators():
    g = generator("x")
    same("generator's names", (read(u64(id(g) + L["gen_name"])), read(u64(id(g) + L["gen_qualname"]))), ("generator", "generator"))
    next(g)
    f = id(g) + L["gen_frame"] if MINOR > 10 else u64(id(g) + L["gen_frame"])
    if L["gen_frame_state"]:
        state = struct.unpack("b", data(id(g) + L["gen_frame_state"], 1))[0]
        same("generator suspended", state < 0, True)
    check_frame(f, g.gi_frame)
    if L["frame_gen"]:
        same("frame's generator", u64(f + L["frame_gen"]), id(g))
    same("generator's variables", slots(f), {"a": id("x"), "b": id(1)})
    next(g)
    list(g)
    if L["gen_frame_state"]:
        same("generator done", struct.unpack("b", data(id(g) + L["gen_frame_state"], 1))[0], L["gen_state_cleared"])
    else:
        same("generator done", u64(id(g) + L["gen_frame"]), 0)


def check_tracing():
    """Where a C trace function is armed."""
    seen = []

    def tracer(frame, event, arg):
        ts = ctypes.pythonapi.PyThreadState_Get()
        seen.append((u64(ts + L["tstate_c_traceobj"]), u64(ts + L["tstate_c_tracefunc"]) != 0, i32(ts + L["tstate_tracing"])))

    ts = ctypes.pythonapi.PyThreadState_Get()
    possible = (RUNTIME + L["runtime_tracing_possible"] if L["runtime_tracing_possible"] else
                u64(ts + L["tstate_interp"]) + L["interp_tracing_possible"] if L["interp_tracing_possible"] else 0)
    before = i32(possible) if possible else 0
    sys.settrace(tracer)
    (lambda: 1)()
    armed = i32(possible) if possible else 1
    using = (i32(ts + L["tstate_use_tracing"]) if MINOR < 10 else
             i32(u64(ts + L["tstate_cframe"])) if MINOR < 11 else u8(u64(ts + L["tstate_cframe"])) if MINOR < 12 else 1)
    sys.settrace(None)
    same("trace function", seen[0], (id(tracer), True, 1))
    same("tracing possible", armed - before, 1)
    same("use_tracing", using, 255 if MINOR == 11 else 1)
    same("trace function gone", (u64(ts + L["tstate_c_traceobj"]), u64(ts + L["tstate_c_tracefunc"])), (0, 0))


class Body:
    attribute = 1
    check_frame(callers_frame(), sys._getframe())


check_objects()
check_instances()
check_callables()
plain(1, 2, 3, z=4)
captured(1, [2], 3, z=4)
through_c("x")
check_generators()
check_tracing()
print("%s: %d comparisons" % (sys.version.split()[0], checks))
