"""Shapes of code: classes, comprehensions, nested functions, decorators, match, lambdas, exec, one-liners."""
import functools
import operator


def decorate(f):
    @functools.wraps(f)
    def wrapper(*args, **kw):
        before = len(args)
        r = f(*args, **kw)
        return r
    return wrapper


@decorate
def decorated(a, b=1):
    return a + b


class Meta(type):
    def __new__(mcls, name, bases, ns, **kw):
        ns["made"] = True
        return super().__new__(mcls, name, bases, ns)


class Base(metaclass=Meta):
    attribute = 1
    doubled = [n * 2 for n in range(2)]

    def method(self, x):
        return x + self.attribute

    @property
    def prop(self):
        return self.method(1)

    class Nested:
        value = "nested"

        def inner(self):
            return self.value


class Child(Base):
    """A docstring."""
    attribute = 2
    if attribute > 1:
        branch = "taken"
    else:
        branch = "not"

    def method(self, x):
        return super().method(x) * 2

    def __len__(self):
        return 3

    def __getitem__(self, i):
        if i > 2:
            raise IndexError(i)
        return i * 10


def comprehensions():
    a = [x for x in range(3)]
    b = {x: y for x, y in zip("ab", [1, 2])}
    c = {x % 2 for x in range(4)}
    d = [y for x in [[1], [2, 3]] for y in x]
    e = [
        x * 2
        for x in range(3)
        if x
    ]
    f = [[j for j in range(i)] for i in range(3)]
    n = 10
    g = [n + x for x in range(2)]
    return a, b


def closures():
    x = 1

    def one():
        y = x + 1

        def two():
            nonlocal x
            x = y * 2
            return x, y
        return two
    f = one()
    r = f()
    adders = [lambda v, k=k: v + k for k in range(3)]
    s = [add(1) for add in adders]
    return r, x, s


def flow(n):
    i = 0
    while i < n:
        i += 1
        if i == 2: continue
        if i == 4: break
    else:
        i = -1
    for a, b in [(1, 2), (3, 4)]:
        total = a + b
    x = 1 if n else 2
    y = (n and
         x or
         0)
    z = call(
        1,
        x,
    )
    while (k := i) > 0: i -= 1
    return y


def call(a, b):
    return (a
            + b)


def matching(v):
    match v:
        case 0:
            r = "zero"
        case [a, *rest]:
            r = a
        case {"key": value}:
            r = value
        case Base(attribute=at):
            r = at
        case str() as s if s:
            r = s
        case _:
            r = None
    return r


def many(n): return n if n < 2 else many(n - 1) + many(n - 2)


def recurse(n):
    if n == 0:
        return 0
    below = recurse(n - 1)
    return below + 1


def globals_():
    global COUNTER
    COUNTER = COUNTER + 1
    return COUNTER


COUNTER = 0


def builtin_calls():
    s = sorted([3, 1, 2], key=lambda v: -v)
    m = list(map(lambda v: v + 1, s))
    f = list(filter(None, m))
    r = functools.reduce(operator.add, f)
    mx = max(s, key=lambda v: v)
    c = Child()
    items = list(c)
    n = len(c)
    return r


def strings():
    name = "x"
    f = f"{name!r:>5} {len(name)}"
    long = (
        "a"
        "b"
    )
    doc = """
    many
    lines
    """
    return f, long


def async_free(*, a: int = 1, **kw: str) -> "str":
    b: int = 3
    c: str
    return b


def main():
    decorated(1)
    decorated(1, b=2)
    c = Child()
    c.method(1)
    c.prop
    Base.Nested().inner()
    comprehensions()
    closures()
    flow(5)
    flow(1)
    flow(0)
    for v in (0, [1, 2], {"key": 3}, c, "s", 1.5):
        matching(v)
    many(6)
    recurse(20)
    globals_()
    builtin_calls()
    strings()
    async_free(z="s")
    ns = {"__name__": "made_ns"}
    exec("a = 1\nb = a + 1\ndef made(x):\n    y = x * 2\n    return y\n", ns)
    ns["made"](4)
    v = eval("1 + 2")
    exec("for i in range(2):\n    pass", {"__name__": "named"})
    assert True; done = 1; done += 1
    with open(__file__) as f: first = f.readline()
    try: int("x")
    except ValueError: pass
    del f


if __name__ == "__main__":
    main()
