"""That the comparison can fail: a trace made from the oracle's own model must be
found equal, and each of many small changes to it must be found.
"""
import copy

from values import DEPTH, ITEMS, ITEM_BRACKETS, TEXT, chars, escaped


class Fake:
    """A trace made from the oracle's own model, for the self-test of the comparison."""

    def __init__(self, oracle):
        self.types, self.broken, self.paths = [], [], []
        steps, calls = oracle
        self.steps = []
        for s in steps:
            s = copy.copy(s)
            s.vars = {k: self.value(d) for k, d in s.vars.items()}
            self.steps.append(s)
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


def problems(oracle, compare):
    """What went wrong: nothing, if compare(oracle, trace, allowed=()) can fail as it must."""
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
