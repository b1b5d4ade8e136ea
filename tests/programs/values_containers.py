import collections
import typing

Point = collections.namedtuple("Point", "x y")


class Named(typing.NamedTuple):
    one: int
    two: str = "2"


class List(list):
    pass


class Dict(dict):
    pass


class Tuple(tuple):
    pass


class Set(set):
    pass


def lists():
    empty = []
    a = [1, "two", 3.0, None, True]
    a.append(a[:2])
    a[0] = -1
    del a[1]
    a.insert(0, "front")
    a.clear()
    for n in (63, 64, 65, 1000):
        big = list(range(n))
    deep = [[[[[[1]]]]]]
    four = [[[[]]]]
    cyc = [1]
    cyc.append(cyc)
    mutual = [[]]
    mutual[0].append(mutual)
    shared = [a, a]
    sub = List([1, 2])
    return len(big)


def tuples():
    empty = ()
    one = (1,)
    nest = (1, (2, (3, (4, (5, (6,))))))
    long = tuple(range(100))
    p = Point(1, 2)
    p2 = p._replace(x=[p])
    n = Named(1)
    sub = Tuple((1, 2))
    return p


def dicts():
    empty = {}
    d = {"a": 1, 2: "b", (1, 2): [3], None: None, 1.5: 2}
    d["new"] = d["a"]
    del d["a"]
    d["a"] = "again"
    d.pop(2)
    d.update({"x": {"y": {"z": {"deep": 1}}}})
    d.clear()
    for n in (5, 6, 10, 64, 65, 200):
        grown = {}
        for k in range(n):
            grown[k] = k
    strs = {"k%d" % i: i for i in range(20)}
    for i in range(0, 20, 2):
        del strs["k%d" % i]
    holes = dict(strs)
    cyc = {}
    cyc["self"] = cyc
    sub = Dict(a=1)
    order = collections.OrderedDict(a=1, b=2)
    deflt = collections.defaultdict(list, a=[1])
    count = collections.Counter("abca")
    return len(grown)


def sets():
    empty = set()
    s = {1}
    s.add(2)
    s.add("three")
    s.discard(1)
    s.update(range(10, 20))
    f = frozenset([1, 2, (3,)])
    fe = frozenset()
    big = set(range(200))
    sub = Set([1])
    return len(s)


lists()
tuples()
dicts()
sets()
