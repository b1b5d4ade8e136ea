"""Layouts where the line of an instruction and the entry of the line table part ways."""


def id_(*a):
    return a


def two_lines(n):
    a = [x
         for x in range(n)]
    b = [x for x in
         range(n)]
    c = [x + 1
         for x in range(n)
         if x
         if x > 1]
    d = {x:
         x for x in range(n)}
    e = {
        x
        for x in range(n)
    }
    f = sum(
        x
        for x in range(n)
    )
    return a


def loops(n):
    i = 0
    while i < n: i += 1
    while (i
           > 0):
        i -= 1
    for x in range(n): pass
    for x in (1,
              2,
              3):
        y = x
    for x in range(
            n):
        if x: continue
        y = x
    while True:
        i += 1
        if i > 3: break
    while i and \
            i > 1:
        i -= 1
    return i


def conditions(a, b):
    r = (a and
         b)
    r = (a or
         b or
         1)
    if (a
            and b):
        r = 2
    elif (a or
          b):
        r = 3
    r = (1 if a
         else 2)
    r = (1
         if b else
         2)
    assert (a or
            True), "m"
    return (a
            if b
            else r)


def calls(n):
    r = id_(
        1,
        id_(2,
            3),
        *[4,
          5],
    )
    s = (id_(1)
         + id_(2))
    t = id_(1)[
        0]
    u = f"""{id_(
        1)} {
        2}"""
    v = {
        "a": id_(1),
        "b": id_(2),
    }
    w = lambda: \
        id_(3)
    w()
    x = [
        1,
        2,
    ]
    del x[
        0]
    return r


def tries(n):
    for i in range(n):
        try: id_(i)
        finally: id_(9)
    for i in range(n):
        try:
            if i == 1: raise ValueError(
                i)
        except (ValueError,
                KeyError): pass
        else:
            id_(0)
    with open(
            __file__) as f, open(__file__) as g: id_(1)
    with (
        open(__file__) as f,
        open(__file__) as g,
    ):
        id_(2)
    try: return id_(
        5)
    finally: n = 1


def gens(n):
    def g(): yield 1; yield 2
    def h():
        while True: x = yield \
            1
    def one(): yield
    r = list(g()), list(one())
    k = h()
    next(k); next(k); k.send(2)
    k.close()
    def d(): return (yield from
                     g())
    list(d())
    z = [*g(),
         *g()]
    return r


async def co():
    async def one(): return 1
    a = await one()
    b = (await one() +
         await one() +
         await one())
    return a


class A: pass


class B: x = 1; y = 2


class C(
    B,
):
    def m(self): return 1
    @property
    def p(
        self,
    ):
        return 2
    z = [
        1,
    ]


def match_(v):
    match v:
        case 1 | \
                2: return "a"
        case [x,
              y] if (x
                     and y):
            return "b"
        case _: pass


def main():
    for n in (0, 1, 3):
        two_lines(n); loops(n); tries(n)
    for a in (0, 1):
        for b in (0, 1): conditions(a, b)
    calls(1); gens(1)
    c = co()
    try: c.send(None)
    except StopIteration as e: pass
    C().m(); C().p
    for v in (1, [1, 2], [0, 1], 5): match_(v)


main()
