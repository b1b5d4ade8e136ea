import dataclasses
import sys


@dataclasses.dataclass
class Data:
    a: int
    b: list = dataclasses.field(default_factory=list)


class Plain:
    kind = "class attribute"

    def __init__(self):
        self.name = "plain"
        self.items = [1, 2]

    def method(self, x):
        self.x = x
        return self.x

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def static(y):
        return y

    @property
    def prop(self):
        return self.name


class Slots:
    __slots__ = ("p", "q", "unset")

    def __init__(self, p, q):
        self.p = p
        self.q = q


class MoreSlots(Slots):
    __slots__ = ("r",)


class SlotsAndDict(Slots):
    pass


class Hostile:
    def __init__(self):
        self.v = 1

    def __repr__(self):
        raise RuntimeError("never run")

    __str__ = __eq__ = __hash__ = __len__ = __iter__ = __repr__

    def __getattr__(self, name):
        sys.exit("never run")


class Empty:
    pass


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


def objects():
    d = Data(1)
    d.b.append(2)
    d.extra = "new"
    p = Plain()
    p.method(3)
    p.z = None
    del p.name
    made = Plain.make()
    st = Plain.static(4)
    pr = made.prop
    s = Slots(1, [2])
    s.p = s
    m = MoreSlots(1, 2)
    m.r = "r"
    sd = SlotsAndDict(5, 6)
    sd.more = 7
    h = Hostile()
    e = Empty()
    e.me = e
    via_dict = Plain()
    as_dict = via_dict.__dict__
    as_dict["direct"] = 1
    many = Empty()
    for i in range(40):
        setattr(many, "f%d" % i, i)
    meta = WithMeta()
    bare = object()
    return e


def things():
    f = objects
    lam = lambda: 1
    bound = Plain().method
    builtin = len
    bmeth = [].append
    cls = Plain
    mcls = WithMeta
    typ = int
    mod = sys
    n = 1

    def inner():
        return n

    cells = inner.__closure__
    code = inner.__code__
    g = (i for i in range(2))
    exc = ValueError("bad", 1)
    err = KeyError()
    inst = Exception.__new__(ZeroDivisionError)
    return cells[0]


objects()
things()
