"""Does a value of a trace (a CBOR map) say what the oracle saw (collect.py's describe())?

A value that ctrec cut is compared up to the cut, and the cut must be owed: the
oracle must have seen more there than the limits allow, or more objects in that
step than an event's budget holds.
"""
import json
import re
import sys

sys.set_int_max_str_digits(0)
DEPTH, ITEMS, TEXT = 3, 64, 256      # ctrec's default limits
BUDGET = 128                         # objects in one step from which a cut by the budget is possible
CONTAINERS = ("list", "tuple", "dict", "set", "frozenset", "sub", "object", "exc", "cell")
ITEM_BRACKETS = {"list": "[", "tuple": "(", "dict": "{", "set": "{", "frozenset": "frozenset({"}
ITEMS_TEXT = re.compile(r"(\[|\(|\{|frozenset\(\{)… (\d+) items?(?:\]|\)|\}|\}\))")
INT_DIGITS = 600                     # decimal digits from which an int may be cut


def escaped(text):
    """Lone surrogates have no UTF-8; they are shown by their escape, which loses nothing."""
    return "".join("\\u%04x" % ord(c) if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def chars(d):
    """The text of a ["str", length, text]."""
    return d[2] if isinstance(d[2], str) else "".join(map(chr, d[2]))


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
