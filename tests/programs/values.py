"""Every kind of value as a local, an argument and a return."""
import enum
import math
import sys
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field

Pair = namedtuple("Pair", "left right")


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


class Perm(enum.Flag):
    R = 1
    W = 2


@dataclass
class Point:
    x: int
    y: float = 2.5
    tags: list = field(default_factory=list)


class Plain:
    def __init__(self, name):
        self.name = name
        self.other = None


class Managed:
    """Attributes added in different orders, so that keys are shared or not."""


class Slotted:
    __slots__ = ("a", "b", "c")

    def __init__(self):
        self.a = 1
        self.c = "c"


class SlottedChild(Slotted):
    __slots__ = ("d",)

    def __init__(self):
        super().__init__()
        self.d = [1]


class SlotsAndDict(Slotted):
    def __init__(self):
        super().__init__()
        self.extra = "dict"


class MyInt(int):
    pass


class MyStr(str):
    pass


class MyList(list):
    pass


class MyDict(dict):
    pass


class MyTuple(tuple):
    pass


class MyError(Exception):
    def __init__(self, code):
        super().__init__("code", code)
        self.code = code


class Loud:
    """Nothing of this may ever be run by a recorder."""

    def __init__(self):
        self.calm = 1

    def __repr__(self):
        raise RuntimeError("repr was run")

    __str__ = __repr__

    def __getattr__(self, name):
        raise RuntimeError("getattr was run: " + name)

    def __eq__(self, other):
        raise RuntimeError("eq was run")

    def __hash__(self):
        return 1

    def __len__(self):
        raise RuntimeError("len was run")

    def __iter__(self):
        raise RuntimeError("iter was run")

    @property
    def __class__(self):
        raise RuntimeError("class was asked")


def numbers():
    zero = 0
    small = 5
    negative = -7
    word = 2 ** 30
    word2 = 2 ** 60 + 1
    top = 2 ** 63 - 1
    low = -2 ** 63
    above = 2 ** 63
    below = -2 ** 63 - 1
    big = 3 ** 200
    bigneg = -(7 ** 300)
    yes, no = True, False
    nothing = None
    dots = Ellipsis
    not_impl = NotImplemented
    return big


def floats():
    a = 0.1
    b = -0.0
    c = 1e100
    d = 1.5e-310
    e = math.pi
    f = float("inf")
    g = float("-inf")
    h = float("nan")
    i = 1e16
    j = 123456789012345.6
    k = 9007199254740993.0
    l = 5e-324
    m = 1e15
    n = 1.7976931348623157e308
    o = 0.0001
    p = 0.00001
    c1 = 1 + 2j
    c2 = -0.0 + 1e300j
    c3 = complex("nan+infj")
    c4 = 3j
    c5 = complex(1, -0.0)
    return c1


def texts():
    empty = ""
    ascii_ = "plain ascii"
    latin = "caf\xe9 \xff"
    wide = "\u65e5\u672c\u8a9e \u0394"
    wider = "\U0001f600 smile \U0001d538"
    lone = "a\ud800b"
    low = "\udcff"
    nul = "a\0b\n\t\\'\""
    long_ascii = "x" * 250
    b = b""
    b2 = bytes(range(256))[:200]
    b3 = b"it's"
    b4 = b"\"it's\""
    ba = bytearray(b"changing\x00")
    ba.append(200)
    ba2 = bytearray()
    del ba[0]
    return wider


def too_long():
    s = "y" * 1000
    t = "\u65e5" * 1000
    by = b"z" * 1000
    ba = bytearray(by)
    lst = list(range(1000))
    tup = tuple(lst)
    dct = {i: i for i in range(200)}
    return 1


def containers():
    lst = [1, "two", 3.0, None, True]
    nested = [[1, [2, [3]]], (4, {5: [6]})]
    empty = [], (), {}, set(), frozenset()
    tup = (1, (2, 3))
    one = (1,)
    lst.append(lst[0])
    lst[1] = "changed inside"
    del lst[0]
    nested[0][1][1].append("deep change")
    return nested


def dicts():
    general = {"a": 1, 2: "b", (1, 2): [3], None: None, 1.5: True}
    general["new"] = "value"
    del general["a"]
    text_keys = {"k%d" % i: i for i in range(10)}
    popped = text_keys.pop("k3")
    grown = {}
    for i in range(20):
        grown[i] = str(i)
    cleared = dict(grown)
    cleared.clear()
    dd = defaultdict(list)
    dd["x"].append(1)
    od = OrderedDict(b=1, a=2)
    merged = {**general, "z": 0}
    return dd


def sets():
    s = {1, 2, 3}
    s.add("four")
    s.discard(2)
    f = frozenset([1, (2, 3)])
    fs = {f, frozenset()}
    many = set(range(50))
    many.difference_update(range(40))
    return s


def ranges():
    r = range(3)
    r2 = range(1, 10)
    r3 = range(10, 0, -2)
    r4 = range(2 ** 70, 2 ** 71)
    s = slice(3)
    s2 = slice(1, None, 2)
    s3 = slice("a", "b")
    return r3


def objects():
    nt = Pair(1, [2])
    nt2 = Pair(left=nt, right=None)
    color = Color.RED
    green = Color.GREEN
    level = Level.HIGH
    perm = Perm.R
    pt = Point(1)
    pt.tags.append("tag")
    pl = Plain("name")
    pl.other = Plain("inner")
    pl2 = Plain("second")
    pl2.added = 1
    del pl2.name
    m1 = Managed()
    m1.a = 1
    m1.b = 2
    m2 = Managed()
    m2.b = 1
    m2.a = 2
    m3 = Managed()
    vars(m3)["from_dict"] = 3
    m4 = Managed()
    for i in range(40):
        setattr(m4, "attr%d" % i, i)
    sl = Slotted()
    sl.b = "set now"
    del sl.a
    sc = SlottedChild()
    sd = SlotsAndDict()
    loud = Loud()
    bare = object()
    return pl


def subclasses():
    i = MyInt(7)
    i.note = "attribute of an int"
    s = MyStr("text")
    l = MyList([1, 2])
    d = MyDict(a=1)
    t = MyTuple((1, 2))
    huge = MyInt(2 ** 80)
    err = MyError(5)
    plain_err = ValueError("bad", 1)
    os_err = OSError(2, "no such")
    dq = deque([1, 2])
    return i


def callables():
    def inner(a, b=2):
        return a + b

    class Local:
        def method(self):
            return 1

        @classmethod
        def cls_method(cls):
            return cls

        @staticmethod
        def static():
            return 2

    f = inner
    lam = lambda x: x + 1
    obj = Local()
    m = obj.method
    cm = Local.cls_method
    st = Local.static
    c1 = Local
    c2 = int
    c3 = Color
    bi = len
    bm = [].append
    module = sys
    module2 = math
    code = inner.__code__
    gen = (x for x in [1])
    r = f(1), lam(2), m(), st()
    return inner


def cells():
    shared = 1
    unset_later = [1]

    def change(by):
        nonlocal shared
        shared += by
        return shared

    a = change(10)
    shared = "rebound"
    cell = change.__closure__[0]
    holder = [cell]
    del unset_later

    def uses():
        return unset_later

    unset_later = {"again": shared}
    b = uses()
    return shared


def cycles():
    me = [1]
    me.append(me)
    d = {}
    d["self"] = d
    p = Plain("cycle")
    p.other = p
    a, b = [], []
    a.append(b)
    b.append(a)
    twice = [1]
    both = [twice, twice]
    return me


def deep():
    four = [[[[1]]]]
    five = [[[[[1]]]]]
    ten = [[[[[[[[[[1]]]]]]]]]]
    p = Plain(Plain(Plain(Plain(Plain("bottom")))))
    return five


def arguments(a, b=2, *rest, key, other="o", **more):
    total = a
    a = "rebound"
    return rest, more


def positional(a, /, b, *, c):
    return a, b, c


def unbound(flag):
    if flag:
        x = 1
        del x
    else:
        y = 2
    z = 3
    return z


def same_ints():
    # equal numbers in reused memory must be seen as changes, and as none
    x = 100000
    for i in range(5):
        x = x + 1
        x = x - 1
        y = [x]
        y = [x + i]
    return x


def main():
    numbers()
    floats()
    texts()
    too_long()
    containers()
    dicts()
    sets()
    ranges()
    objects()
    subclasses()
    callables()
    cells()
    cycles()
    deep()
    arguments(1, key=None)
    arguments(1, 3, 4, 5, key="k", extra=[1], more=2)
    arguments(*(1, 2, 3), **{"key": 1})
    positional(1, b=2, c=3)
    unbound(True)
    unbound(False)
    same_ints()


main()
