def deco(f):
    def wrapped(*args, **kw):
        r = f(*args, **kw)
        return r
    return wrapped


class Outer:
    a = 1
    b = [a, 2]

    class Inner:
        c = 3

    for i in range(3):
        b.append(i)
    squares = [x * x for x in range(3)]

    @deco
    def method(self, x, *rest, key=5, **more):
        y = x + key
        return y


class Base:
    def __init_subclass__(cls, **kw):
        super().__init_subclass__()
        cls.seen = kw


class Derived(Base, flag=True):
    def __init__(self):
        super().__init__()
        self.__private = 1

    def __eq__(self, other):
        return True


def local():
    n = 1

    class Local:
        m = n

        def get(self):
            return n, __class__

    return Local().get()[0]


o = Outer()
o.method(1, 2, 3, key=4, extra=5)
d = Derived()
same = d == o
local()
a, (b, *c) = 1, (2, 3, 4)
match [1, {"k": 2}]:
    case [x, {"k": y}]:
        z = x + y
if (w := 10) > 5:
    v = w
del v
