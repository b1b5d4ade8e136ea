#!/usr/bin/env python3
"""Compares what the oracle saw (collect.py) with what a .ct says.

    compare.py ORACLE.jsonl FILE.ct          prints the first differences; exits 1 on any
    compare.py --self-test ORACLE.jsonl      proves that each kind of difference is found

The trace is read by tests/ctcheck.py, which shares nothing with ctrec. Both
sides become one model: steps (file, line, variables) and calls (name, parent,
first and last step, arguments, result); then they must be equal, one by one.

A value that ctrec cut is compared up to the cut, and the cut must be owed: the
oracle must have seen more than the limits allow (LIMITS) at that place or more
objects in that step than an event's budget holds.
"""
import copy
import json
import os
import re
import struct
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import ctcheck  # noqa: E402

sys.set_int_max_str_digits(0)
DEPTH, ITEMS, TEXT = 4, 64, 256      # ctrec's default limits
BUDGET = 128                         # objects in one step from which a cut by the budget is possible


CONTAINERS = ("list", "tuple", "dict", "set", "frozenset", "sub", "object", "exc", "cell")
ITEM_BRACKETS = {"list": "[", "tuple": "(", "dict": "{", "set": "{", "frozenset": "frozenset({"}
ITEMS_TEXT = re.compile(r"(\[|\(|\{|frozenset\(\{)… (\d+) items?(?:\]|\)|\}|\}\))")
INT_DIGITS = 600                     # decimal digits from which an int may be cut


class Step:
    __slots__ = ("file", "line", "vars", "objects", "thread")

    def __init__(self, file, line, variables, objects=0, thread=0):
        self.file, self.line, self.vars, self.objects, self.thread = file, line, variables, objects, thread


class Call:
    __slots__ = ("name", "parent", "depth", "entry", "exit", "args", "result", "unwound", "thread", "resumed", "thrown")

    def __init__(self, name, parent, depth, entry, args, thread=0):
        self.name, self.parent, self.depth, self.entry, self.args, self.thread = name, parent, depth, entry, args, thread
        self.exit, self.result, self.unwound, self.resumed, self.thrown = None, None, False, False, None


def escaped(text):
    """Lone surrogates have no UTF-8; they are shown by their escape, which loses nothing."""
    return "".join("\\u%04x" % ord(c) if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def chars(d):
    """The text of a ["str", length, text]."""
    return d[2] if isinstance(d[2], str) else "".join(map(chr, d[2]))


def absolute(path):
    return path if path.startswith("<") else os.path.abspath(path)


def oracle_model(path, thread=None):
    """The oracle's lines as steps and calls in the order and with the numbers the format asks for."""
    steps, calls, stacks = [], [], {}
    for text in open(path):
        r = json.loads(text)
        t = r["t"]
        if thread is not None and t != thread:
            continue
        stack = stacks.setdefault(t, [])
        if r["e"] == "call":
            parent = stack[-1][0] if stack else -1
            c = Call(r["q"], parent, calls[parent].depth + 1 if stack else 0, len(steps), r["a"] or {}, t)
            c.resumed, c.thrown = r["a"] is None, r.get("x")
            calls.append(c)
            stack.append((len(calls) - 1, {}))
        elif r["e"] == "line":
            v = stack[-1][1]
            v.update(r["v"])
            for k in r.get("d", ()):
                v.pop(k, None)
            steps.append(Step(absolute(r["f"]), r["l"], dict(v), r["n"], t))
        else:
            key, _ = stack.pop()
            c = calls[key]
            c.result, c.unwound = r["v"], r["e"] == "unw"
            c.exit = len(steps) - 1
            if c.exit < c.entry:                # no step of its own
                c.entry = c.exit = max(len(steps) - 1, 0)
    for c in calls:
        if c.exit is None:
            c.exit = max(len(steps) - 1, 0)
            c.result = ["open"]
    return steps, calls


class Trace:
    """A .ct as the same model, values still as CBOR maps."""

    def __init__(self, path):
        del ctcheck.broken[:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)       # it leaves the file to the collector
            self.meta, t = ctcheck.read(path)
        self.broken = list(ctcheck.broken)
        if t is None:
            raise SystemExit("unreadable: " + "; ".join(self.broken))
        self.paths, self.funcs, self.types, _, steps, vals, calls, self.io = t
        with open(path, "rb") as f:
            self.internal = ctcheck.container(f.read())
        self.steps = [Step(self.paths[p], line, {v["varname"]: v["value"] for v in vs}) for (p, line), vs in zip(steps, vals)]
        self.calls = []
        for c in calls:
            k = Call(c.get("function"), c["parent_call_key"], c["depth"], c["entry_step"], {a["varname"]: a["value"] for a in c["args"]})
            k.exit, k.result = c["exit_step"], c["return"]
            self.calls.append(k)
        self.give_threads()

    def give_threads(self):
        """The thread of each step, from ctrec's own cx.thread: runs of (first step, thread)."""
        raw = self.internal.get("cx.thread", b"")
        runs = [struct.unpack_from("<QQ", raw, i) for i in range(0, len(raw) - 15, 16)]
        number = {}
        for (first, t), (end, _) in zip(runs, runs[1:] + [(len(self.steps), 0)]):
            for s in self.steps[first:end]:
                s.thread = number.setdefault(t, len(number))


class Values:
    """Does a value of the trace say what the oracle saw? The answer is None, or what differs."""

    def __init__(self, types):
        self.types, self.cuts, self.objects = types, 0, 0

    def type(self, v):
        i = v.get("type_id", -1)
        return self.types[i] if 0 <= i < len(self.types) else "?"

    def cut(self, owed, what):
        if not owed and self.objects <= BUDGET:
            return "cut although small: %s" % what
        self.cuts += 1
        return None

    def match(self, d, v, depth=0):
        kind = d[0]
        if kind == "cut":
            self.cuts += 1
            return None
        if not isinstance(v, dict) or "kind" not in v:
            return "no value for %s" % (d,)
        k = v["kind"]
        if k == "Raw" and v["r"] == "…":          # the event's budget ended
            return self.cut(False, d)
        if k == "Raw" and kind in CONTAINERS and self.below_limit(d, v):
            return self.cut(depth >= DEPTH, d)
        return getattr(self, "m_" + kind)(d, v, k, depth)

    def below_limit(self, d, v):
        """A container at the depth limit: '[… 3 items]', '<Point …>'."""
        r = v["r"]
        if d[0] in ("object", "exc"):
            return r == "<%s …>" % d[1] or bool(re.fullmatch("<%s at 0x[0-9a-f]+>" % re.escape(d[1]), r))
        if d[0] == "cell":
            return r == "<depth limit>"
        inner = d[2] if d[0] == "sub" else d
        m = ITEMS_TEXT.fullmatch(r)
        return bool(m) and inner[0] in ITEM_BRACKETS and m[1] == ITEM_BRACKETS[inner[0]] and int(m[2]) == inner[1]

    @staticmethod
    def expect(ok, d, v):
        return None if ok else "expected %s, got %s" % (json.dumps(d)[:200], json.dumps(v, ensure_ascii=False)[:200])

    def m_none(self, d, v, k, depth):
        return self.expect(k == "None" and self.type(v) == "NoneType", d, v)

    def m_bool(self, d, v, k, depth):
        return self.expect(k == "Bool" and v["b"] is d[1] and v["text"] == str(d[1]).lower() and self.type(v) == "Bool", d, v)

    def m_int(self, d, v, k, depth, type_name="Int"):
        n = int(d[1], 16)
        if self.type(v) != type_name:
            return self.expect(False, d, v)
        if -2 ** 63 <= n < 2 ** 63:
            return self.expect(k == "Int" and v["i"] == n, d, v)
        if k == "Raw" and v["r"].startswith("<") and "int of about" in v["r"] and len(str(abs(n))) > INT_DIGITS:
            return self.cut(True, d)
        return self.expect(k == "Raw" and v["r"] == str(n), d, v)

    def m_float(self, d, v, k, depth, type_name="Float"):
        return self.expect(k == "Raw" and v["r"] == d[1] and self.type(v) == type_name, d, v)

    def m_complex(self, d, v, k, depth):
        return self.expect(k == "Raw" and v["r"] == d[1], d, v)

    def split(self, s):
        """A text and how much of it was cut: 'abc… +12 more'."""
        at = s.rfind("… +")
        if at >= 0 and s.endswith(" more") and s[at + 3:-5].isdigit():
            return s[:at], int(s[at + 3:-5])
        return s, 0

    def m_str(self, d, v, k, depth):
        if k != "String":
            return self.expect(False, d, v)
        text = chars(d)
        shown = escaped(text)
        if v["text"] == shown and len(text) == d[1]:
            return None
        got, more = self.split(v["text"])
        if not more:
            return self.expect(False, d, v)
        big = len(text.encode("utf-8", "surrogatepass")) > TEXT or d[1] > TEXT
        if not shown.startswith(got):
            return self.expect(False, d, v)
        if len(got) + more != d[1] and shown == text:
            return "cut text: %d shown + %d more, but %d there" % (len(got), more, d[1])
        return self.cut(big, d)

    def m_bytes(self, d, v, k, depth, wrap="%s"):
        raw = bytes.fromhex(d[2])
        if k == "Raw" and len(raw) == d[1] and v["r"] == wrap % repr(raw):
            return None
        if k != "Raw":
            return self.expect(False, d, v)
        got, more = self.split(v["r"])
        kept = d[1] - more
        if not more or kept > len(raw):
            return self.expect(False, d, v)
        whole = wrap % repr(raw[:kept])
        if not (got == whole or whole.startswith(got.rstrip("'\")"))):
            return self.expect(False, d, v)
        return self.cut(d[1] > TEXT, d)

    def m_bytearray(self, d, v, k, depth):
        return self.m_bytes(d, v, k, depth, "bytearray(%s)")

    def elements(self, want, total, got, d, v, depth, one):
        """Elements in order; a last '… +N more' stands for those cut."""
        more = 0
        if got and got[-1].get("kind") == "Raw" and got[-1]["r"].startswith("… +"):
            more = int(got[-1]["r"][3:].split()[0])
            got = got[:-1]
        if len(got) + more != total:
            return "%d elements + %d cut, but %d there: %s" % (len(got), more, total, json.dumps(v, ensure_ascii=False)[:160])
        if more:
            bad = self.cut(total > ITEMS or depth >= DEPTH, d)
            if bad:
                return bad
        for w, g in zip(want, got):
            bad = one(w, g)
            if bad:
                return bad
        return None

    def sequence(self, d, v, k, depth, kind, type_name):
        if k != kind or (type_name and self.type(v) != type_name):
            return self.expect(False, d, v)
        return self.elements(d[2], d[1], v["elements"], d, v, depth, lambda w, g: self.match(w, g, depth + 1))

    def m_list(self, d, v, k, depth, type_name="List"):
        return self.sequence(d, v, k, depth, "Sequence", type_name)

    def m_tuple(self, d, v, k, depth, type_name="Tuple"):
        return self.sequence(d, v, k, depth, "Tuple", type_name)

    def pair(self, w, g, depth):
        if g.get("kind") != "Tuple" or len(g["elements"]) != 2:
            return self.match(["tuple", 2, w], g, depth)
        return self.match(w[0], g["elements"][0], depth + 1) or self.match(w[1], g["elements"][1], depth + 1)

    def m_dict(self, d, v, k, depth, type_name="Dict"):
        if k != "Sequence" or (type_name and self.type(v) != type_name):
            return self.expect(False, d, v)
        return self.elements(d[2], d[1], v["elements"], d, v, depth, lambda w, g: self.pair(w, g, depth))

    def m_set(self, d, v, k, depth, type_name="Set"):
        if k != "Sequence" or (type_name and self.type(v) != type_name):
            return self.expect(False, d, v)
        left = list(d[2])

        def one(_, g):
            for i, w in enumerate(left):
                before = self.cuts
                if self.match(w, g, depth + 1) is None:
                    del left[i]
                    return None
                self.cuts = before
            return "not in the set: %s" % json.dumps(g, ensure_ascii=False)[:100] if len(d[2]) == d[1] else None
        return self.elements(d[2], d[1], v["elements"], d, v, depth, one)

    def m_frozenset(self, d, v, k, depth):
        return self.m_set(d, v, k, depth, "FrozenSet")

    def m_range(self, d, v, k, depth):
        want = "range(%s, %s)" % (d[1], d[2]) if d[3] == "1" else "range(%s, %s, %s)" % (d[1], d[2], d[3])
        return self.expect(k == "Raw" and v["r"] == want, d, v)

    def m_slice(self, d, v, k, depth):
        def show(x):
            return str(int(x[1], 16)) if x[0] == "int" else "None" if x[0] == "none" else None
        parts = [show(x) for x in d[1:]]
        if None in parts:
            return self.expect(k == "Raw" and v["r"].startswith("slice("), d, v)
        return self.expect(k == "Raw" and v["r"] == "slice(%s)" % ", ".join(parts), d, v)

    def m_ellipsis(self, d, v, k, depth):
        return self.expect(k == "Raw" and v["r"] in ("...", "Ellipsis"), d, v)

    def m_notimplemented(self, d, v, k, depth):
        return self.expect(k == "Raw" and v["r"] == "NotImplemented", d, v)

    def named(self, names, d, v, k):
        return self.expect(k == "Raw" and any(n in v["r"] for n in names), d, v)

    def m_function(self, d, v, k, depth):
        return self.named(d[1:], d, v, k)

    m_method = m_builtin = m_module = m_class = m_generator = m_code = m_function

    def m_cycle(self, d, v, k, depth):
        return self.expect(k == "Error" and v["msg"] == "<cycle>", d, v)

    def m_deep(self, d, v, k, depth):
        return self.expect(False, d, v)

    def m_cell(self, d, v, k, depth):
        if d[1] is None:
            return self.expect(k == "Raw" and v["r"] == "<empty cell>", d, v)
        return self.struct({"cell_contents": d[1]}, "cell", d, v, k, depth)

    def struct(self, fields, qual, d, v, k, depth):
        """Fields by name; those cut are counted."""
        if k != "Struct" or not self.names_type(v, qual):
            return self.expect(False, d, v)
        names, values = v.get("field_names", []), v["field_values"]
        if len(names) != len(values):
            return "field_names and field_values differ: %s" % json.dumps(v)[:160]
        got, more = {}, 0
        for n, x in zip(names, values):
            if n.startswith("…") or (x.get("kind") == "Raw" and x["r"].startswith("… +")):
                more += 1
            else:
                got[n] = x
        for n, w in fields.items():
            if w == ["unset"]:
                if n in got and got[n].get("kind") not in ("Raw", "Error"):
                    return "field %s has a value, but is unset" % n
                got.pop(n, None)
                continue
            if n not in got:
                if more:
                    bad = self.cut(len(fields) > ITEMS or depth >= DEPTH, d)
                    if bad:
                        return bad
                    continue
                return "field %s missing: %s" % (n, json.dumps(v, ensure_ascii=False)[:160])
            bad = self.match(w, got.pop(n), depth + 1)
            if bad:
                return "field %s: %s" % (n, bad)
        if got and len(fields) <= ITEMS and not d[3:] == [True]:       # a C type's members are not the oracle's
            return "fields that are not there: %s" % sorted(got)
        return None

    def names_type(self, v, qual):
        t = self.type(v)
        return t == qual or t.endswith("." + qual) or t.rpartition(".")[2] == qual.rpartition(".")[2]

    def m_object(self, d, v, k, depth):
        if not d[2] and k == "Raw":
            return self.expect(d[1].rpartition(".")[2] in v["r"] or self.names_type(v, d[1]), d, v)
        return self.struct(d[2], d[1], d, v, k, depth)

    def m_opaque(self, d, v, k, depth):
        short = d[1].rpartition(".")[2]
        return self.expect(k in ("Raw", "Struct") and (short in self.type(v) or short in v.get("r", "")), d, v)

    def m_exc(self, d, v, k, depth):
        if k == "Struct" and self.names_type(v, d[1]):
            named = dict(zip(v.get("field_names", []), v["field_values"]))
            return self.match(d[2], named["args"], depth + 1) if "args" in named else self.expect(False, d, v)
        return self.expect(k == "Raw" and d[1] in v["r"], d, v)

    def m_enum(self, d, v, k, depth):
        short = d[1].rpartition(".")[2]
        if k == "Raw":
            return self.expect("%s.%s" % (short, d[2]) in v["r"], d, v)
        if k == "Struct" and self.names_type(v, d[1]):
            named = dict(zip(v.get("field_names", []), v["field_values"]))
            name = named.get("_name_") or named.get("name")
            return self.expect(name is not None and name.get("text") == d[2], d, v)
        if d[3][0] in ("int", "str"):      # an IntEnum or StrEnum: as its base, under the enum's name
            return self.m_sub(["sub", d[1], d[3], None], v, k, depth)
        return self.expect(False, d, v)

    def m_sub(self, d, v, k, depth):
        """An instance of a subclass of a builtin: the base's content under the subclass's name."""
        _, qual, inner, fields = d
        if fields and len(fields) == inner[1]:
            return self.struct(dict(zip(fields, inner[2])), qual, d, v, k, depth)
        if not self.names_type(v, qual):
            return self.expect(False, d, v)
        shown = dict(v, type_id=-1)
        plain = Plain(self)
        bad = plain.match(inner, shown, depth)
        self.cuts += plain.cuts
        return bad


class Plain(Values):
    """The type's name was checked already: only the top level's content counts."""

    def __init__(self, outer):
        super().__init__(outer.types)
        self.objects = outer.objects

    def type(self, v):
        return Anything() if v.get("type_id") == -1 else super().type(v)


class Anything:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


class Difference(Exception):
    pass


class Report:
    def __init__(self):
        self.lines, self.values, self.calls, self.cuts, self.differences = 0, 0, 0, 0, []

    def differ(self, text, limit):
        self.differences.append(text)
        if len(self.differences) >= limit:
            raise Difference

    def summary(self):
        return "%d steps, %d values, %d calls compared; %d values cut at a limit; %d differences" % (
            self.lines, self.values, self.calls, self.cuts, len(self.differences))


def compare(oracle, trace, limit=12, allowed=()):
    """oracle: (steps, calls); trace: anything with steps, calls, types, broken. allowed: texts
    of known differences, each used up once for every time it stands there."""
    r, left = Report(), list(allowed)
    values = Values(trace.types)
    osteps, ocalls = oracle

    def differ(text):
        for a in left:
            if a in text:
                left.remove(a)
                return
        r.differ(text, limit)

    try:
        for b in trace.broken:
            differ("format: " + b)
        threads = sorted({s.thread for s in osteps} | {s.thread for s in trace.steps})
        if len(threads) < 2:
            compare_steps(osteps, trace.steps, values, r, differ)
            compare_calls(ocalls, trace, values, r, differ)
        else:
            for t in threads:
                compare_steps([s for s in osteps if s.thread == t], [s for s in trace.steps if s.thread == t], values, r,
                              lambda text, t=t: differ("thread %d: %s" % (t, text)))
                compare_exits(t, osteps, ocalls, trace, values, r, lambda text, t=t: differ("thread %d: %s" % (t, text)))
    except Difference:
        pass
    for a in left:
        r.differences.append("allowed, but not seen: %s" % a)
    r.cuts = values.cuts
    return r


def compare_steps(osteps, tsteps, values, r, differ):
    for i, o in enumerate(osteps):
        if i >= len(tsteps):
            differ("step %d: missing: %s:%d (the trace has %d steps, the oracle %d)" % (i, o.file, o.line, len(tsteps), len(osteps)))
            return
        t = tsteps[i]
        if (o.file, o.line) != (t.file, t.line):
            near = ["%s:%d" % (os.path.basename(s.file), s.line) for s in tsteps[i:i + 5]]
            differ("step %d: expected %s:%d, got %s:%d; the trace goes on %s, the oracle %s" % (
                i, o.file, o.line, t.file, t.line, near, ["%s:%d" % (os.path.basename(s.file), s.line) for s in osteps[i:i + 5]]))
            return
        r.lines += 1
        values.objects = o.objects
        for name, d in o.vars.items():
            if name not in t.vars:
                differ("step %d %s:%d: no variable %s, it is %s" % (i, o.file, o.line, name, json.dumps(d)[:120]))
                continue
            r.values += 1
            bad = values.match(d, t.vars[name])
            if bad:
                differ("step %d %s:%d: %s: %s" % (i, o.file, o.line, name, bad))
        for name in t.vars:
            if name not in o.vars and not name.startswith("."):
                differ("step %d %s:%d: variable %s is not there, the trace has %s" % (i, o.file, o.line, name, json.dumps(t.vars[name])[:120]))
    if len(tsteps) != len(osteps):
        s = tsteps[len(osteps)]
        differ("step %d: %d steps too many, first %s:%d" % (len(osteps), len(tsteps) - len(osteps), s.file, s.line))


def exits(calls):
    """Keys in the order of leaving: each call after those below it."""
    below = {}
    for i, c in enumerate(calls):
        below.setdefault(c.parent, []).append(i)
    out, stack = [], [(-1, iter(below.get(-1, ())))]
    while stack:
        key, rest = stack[-1]
        nxt = next(rest, None)
        if nxt is None:
            stack.pop()
            if key >= 0:
                out.append(key)
        else:
            stack.append((nxt, iter(below.get(nxt, ()))))
    return out


def compare_exits(thread, osteps, ocalls, trace, values, r, differ):
    """With threads a call is cut in pieces wherever another thread runs; only the last piece has a
    return. So the returns of a thread are compared, in order, with the functions they are of."""
    want = [ocalls[i] for i in exits(ocalls) if ocalls[i].thread == thread and ocalls[i].result != ["open"]]
    got = [trace.calls[i] for i in exits(trace.calls) if trace.calls[i].result is not None and
           trace.steps[min(trace.calls[i].exit, len(trace.steps) - 1)].thread == thread]
    for i, (o, t) in enumerate(zip(want, got)):
        if o.name != t.name:
            differ("return %d: expected of %s, got of %s" % (i, o.name, t.name))
            return
        r.calls += 1
        values.objects = BUDGET + 1 if len(json.dumps(o.result)) > 1500 else 0
        bad = values.match(o.result, t.result)
        if bad and not (o.name == "<__main__>" and o.parent == -1):
            differ("return %d of %s: %s" % (i, o.name, bad))
    if len(want) != len(got):
        differ("%d returns, expected %d" % (len(got), len(want)))


def compare_calls(ocalls, trace, values, r, differ):
    for i, o in enumerate(ocalls):
        if i >= len(trace.calls):
            differ("call %d: missing: %s (the trace has %d calls, the oracle %d)" % (i, o.name, len(trace.calls), len(ocalls)))
            return
        t = trace.calls[i]
        where = "call %d %s" % (i, o.name)
        if o.name != t.name:
            differ("%s: the trace has %s; the trace goes on %s, the oracle %s" % (
                where, t.name, [c.name for c in trace.calls[i:i + 5]], [c.name for c in ocalls[i:i + 5]]))
            return
        r.calls += 1
        for what in ("parent", "depth", "entry", "exit"):
            if getattr(o, what) != getattr(t, what):
                differ("%s: %s is %d, expected %d" % (where, what, getattr(t, what), getattr(o, what)))
        values.objects = BUDGET + 1 if sum(len(json.dumps(a)) for a in o.args.values()) > 1500 else 0
        want = dict(o.args)
        if o.thrown is not None:
            want["exception"] = o.thrown
        for n, d in want.items():
            bad = "missing" if n not in t.args else values.match(d, t.args[n])
            r.values += 1
            if bad:
                differ("%s: argument %s: %s" % (where, n, bad))
        for n in t.args:
            if n not in want and not n.startswith("."):
                differ("%s: argument %s is not one" % (where, n))
        if o.result == ["open"]:
            continue
        r.values += 1
        values.objects = BUDGET + 1 if len(json.dumps(o.result)) > 1500 else 0
        if t.result is None:
            differ("%s: no return value, expected %s" % (where, json.dumps(o.result)[:120]))
        else:
            bad = values.match(o.result, t.result)
            if bad and not (o.name == "<__main__>" and o.parent == -1):     # the root's is the exit status
                differ("%s: %s: %s" % (where, "leaves by" if o.unwound else "returns", bad))
    if len(trace.calls) != len(ocalls):
        differ("call %d: %d calls too many, first %s" % (len(ocalls), len(trace.calls) - len(ocalls), trace.calls[len(ocalls)].name))


class Fake:
    """A trace made from the oracle's own model, for the self-test of the comparison."""

    def __init__(self, oracle):
        self.types, self.broken, self.paths = [], [], []
        steps, calls = oracle
        self.steps = [Step(s.file, s.line, {k: self.value(d) for k, d in s.vars.items()}) for s in steps]
        self.calls = []
        for c in calls:
            k = copy.copy(c)
            k.args = {n: self.value(d) for n, d in c.args.items()}
            if c.thrown is not None:
                k.args["exception"] = self.value(c.thrown)
            k.result = self.value(c.result)
            self.calls.append(k)

    def t(self, name):
        if name not in self.types:
            self.types.append(name)
        return self.types.index(name)

    def raw(self, text, name="Object"):
        return {"kind": "Raw", "r": text, "type_id": self.t(name)}

    def struct(self, name, fields, depth):
        return {"kind": "Struct", "field_values": [self.value(x, depth + 1) for x in fields.values()],
                "field_names": list(fields), "type_id": self.t(name)}

    def seq(self, kind, name, want, total, depth, one=None):
        kept = want[:ITEMS]
        out = [(one or self.value)(x, depth + 1) for x in kept]
        if total > len(kept):
            out.append(self.raw("… +%d more" % (total - len(kept))))
        v = {"kind": kind, "elements": out, "type_id": self.t(name)}
        if kind == "Sequence":
            v["is_slice"] = False
        return v

    def value(self, d, depth=0):
        k = d[0]
        inner = d[2] if k == "sub" else d
        if depth >= DEPTH and k in ("object", "exc"):
            return self.raw("<%s …>" % d[1], d[1])
        if depth >= DEPTH and k != "cell" and inner[0] in ITEM_BRACKETS:
            o = ITEM_BRACKETS[inner[0]]
            close = {"[": "]", "(": ")", "{": "}"}.get(o, "})")
            return self.raw("%s… %d item%s%s" % (o, inner[1], "" if inner[1] == 1 else "s", close), d[1] if k == "sub" else "x")
        if k == "none":
            return {"kind": "None", "type_id": self.t("NoneType")}
        if k == "bool":
            return {"kind": "Bool", "b": d[1], "text": str(d[1]).lower(), "type_id": self.t("Bool")}
        if k == "int":
            n = int(d[1], 16)
            return {"kind": "Int", "i": n, "type_id": self.t("Int")} if -2 ** 63 <= n < 2 ** 63 else self.raw(str(n), "Int")
        if k in ("float", "complex"):
            return self.raw(d[1], k.capitalize())
        if k == "str":
            text = escaped(chars(d))
            if len(text) > 200:
                text = text[:200] + "… +%d more" % (d[1] - 200)
            return {"kind": "String", "text": text, "type_id": self.t("String")}
        if k in ("bytes", "bytearray"):
            raw = repr(bytes.fromhex(d[2])[:TEXT])
            more = "… +%d more" % (d[1] - TEXT) if d[1] > TEXT else ""
            return self.raw((raw if k == "bytes" else "bytearray(%s)" % raw) + more, k.capitalize())
        if k == "list":
            return self.seq("Sequence", "List", d[2], d[1], depth)
        if k in ("set", "frozenset"):
            return self.seq("Sequence", "Set" if k == "set" else "FrozenSet", list(reversed(d[2])) if d[1] < ITEMS else d[2], d[1], depth)
        if k == "tuple":
            return self.seq("Tuple", "Tuple", d[2], d[1], depth)
        if k == "dict":
            return self.seq("Sequence", "Dict", d[2], d[1], depth, lambda p, n: {
                "kind": "Tuple", "elements": [self.value(p[0], n), self.value(p[1], n)], "type_id": self.t("Tuple")})
        if k == "sub":
            if d[3] and len(d[3]) == d[2][1]:
                return self.struct(d[1], dict(zip(d[3], d[2][2])), depth)
            return dict(self.value(d[2], depth), type_id=self.t(d[1]))
        if k == "object":
            return self.struct(d[1], {n: x for n, x in d[2].items() if x != ["unset"]}, depth)
        if k == "exc":
            return self.struct(d[1], {"args": d[2]}, depth)
        if k == "enum":
            return self.raw("%s.%s" % (d[1], d[2]), d[1])
        if k == "range":
            return self.raw("range(%s, %s%s)" % (d[1], d[2], "" if d[3] == "1" else ", " + d[3]), "Range")
        if k == "slice":
            return self.raw("slice(%s)" % ", ".join(str(int(x[1], 16)) if x[0] == "int" else "None" for x in d[1:]), "Slice")
        if k == "cycle":
            return {"kind": "Error", "msg": "<cycle>", "type_id": self.t("Object")}
        if k == "ellipsis":
            return self.raw("Ellipsis")
        if k == "notimplemented":
            return self.raw("NotImplemented")
        if k == "cell":
            return self.struct("cell", {"cell_contents": d[1]}, depth) if d[1] else self.raw("<empty cell>", "cell")
        if k in ("deep", "cut"):
            return self.raw("…")
        return self.raw("<%s %s>" % (k, d[1] if len(d) > 1 else ""), d[1] if k == "opaque" else "Object")


def mutations():
    """(what, how): each must be found. `how` changes the fake in place."""
    def step(f):
        return lambda t: f(t.steps, len(t.steps) // 2)

    def change_line(s, i):
        s[i].line += 1

    def swap(s, i):
        while (s[i].file, s[i].line) == (s[i + 1].file, s[i + 1].line):
            i += 1
        s[i], s[i + 1] = s[i + 1], s[i]

    def first(t, kind):
        for s in t.steps:
            for n, v in s.vars.items():
                if v["kind"] == kind:
                    return s, n, v
        raise LookupError(kind)

    def change(kind, key, f):
        def how(t):
            _, _, v = first(t, kind)
            v[key] = f(v[key])
        return how

    def drop_var(t):
        s, n, _ = first(t, "Int")
        del s.vars[n]

    def stale(t):
        # the last value of a variable shown where it has changed already
        for a, b in zip(t.steps, t.steps[1:]):
            for n in a.vars:
                if n in b.vars and a.vars[n] != b.vars[n]:
                    b.vars[n] = a.vars[n]
                    return
        raise LookupError("stale")

    def call(f):
        return lambda t: f(t.calls, len(t.calls) // 2)

    def rename(c, i):
        c[i].name += "x"

    def parent(c, i):
        c[i].parent = c[i].parent - 1 if c[i].parent > 0 else c[i].parent + 1

    def span(c, i):
        c[i].exit += 1

    def swap_calls(c, i):
        while c[i].name == c[i + 1].name:
            i += 1
        c[i], c[i + 1] = c[i + 1], c[i]

    def result(t):
        for c in t.calls[1:]:
            if c.result["kind"] == "Int":
                c.result["i"] += 1
                return
        raise LookupError("Int result")

    def argument(t):
        for c in t.calls:
            for n in c.args:
                del c.args[n]
                return
        raise LookupError("argument")

    yield "a changed line", step(change_line)
    yield "a changed file", step(lambda s, i: setattr(s[i], "file", "/elsewhere.py"))
    yield "a missing step", step(lambda s, i: s.pop(i))
    yield "an extra step", step(lambda s, i: s.insert(i, copy.copy(s[i])))
    yield "two steps swapped", step(swap)
    yield "a step too many at the end", lambda t: t.steps.append(t.steps[-1])
    yield "a changed int", change("Int", "i", lambda i: i + 1)
    yield "a changed str", change("String", "text", lambda s: s + " ")
    yield "a changed Raw", change("Raw", "r", lambda s: "@")
    yield "an element gone", lambda t: next(v for s in t.steps for v in s.vars.values() if v["kind"] == "Sequence" and v["elements"])["elements"].pop(0)
    yield "a field renamed", lambda t: next(v for s in t.steps for v in s.vars.values() if v["kind"] == "Struct" and v["field_names"])["field_names"].__setitem__(0, "other")
    yield "a stale value", stale
    yield "a variable gone", drop_var
    yield "a variable too many", step(lambda s, i: s[i].vars.__setitem__("ghost", {"kind": "Int", "i": 1, "type_id": 0}))
    yield "a value cut though small", lambda t: first(t, "Int")[0].vars.__setitem__(first(t, "Int")[1], {"kind": "Raw", "r": "… +1 more", "type_id": 0})
    yield "a missing call", call(lambda c, i: c.pop(i))
    yield "an extra call", call(lambda c, i: c.insert(i, copy.copy(c[i])))
    yield "two calls swapped", call(swap_calls)
    yield "a call renamed", call(rename)
    yield "another parent", call(parent)
    yield "another last step", call(span)
    yield "a changed return", result
    yield "an argument gone", argument
    yield "a broken format", lambda t: t.broken.append("x")


def self_test(path):
    """Returns the list of what went wrong: nothing, if the comparison can fail as it must."""
    oracle = oracle_model(path, thread=0)    # with threads the parents and spans are not compared
    bad = []
    r = compare(oracle, Fake(oracle))
    if r.differences:
        bad.append("the oracle differs from itself: %s" % r.differences[:3])
    if not (r.lines and r.values and r.calls):
        bad.append("nothing compared")
    for what, how in mutations():
        fake = Fake(oracle)
        how(fake)
        if not compare(oracle, fake).differences:
            bad.append("not found: " + what)
    if compare(oracle, Fake(oracle), allowed=["something"]).differences == []:
        bad.append("an allowed difference that never came was not told")
    return bad


def main():
    if sys.argv[1] == "--self-test":
        bad = self_test(sys.argv[2])
        print("\n".join(bad) or "the comparison finds every kind of difference")
        sys.exit(bool(bad))
    r = compare(oracle_model(sys.argv[1]), Trace(sys.argv[2]))
    for d in r.differences:
        print(d)
    print(r.summary())
    sys.exit(bool(r.differences))


if __name__ == "__main__":
    main()
