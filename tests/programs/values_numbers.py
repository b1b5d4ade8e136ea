import enum


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Bits(enum.Flag):
    A = 1
    B = 2


class Int(int):
    pass


class Float(float):
    pass


def ints():
    for bits in (0, 1, 29, 30, 31, 59, 60, 61, 62, 63, 64, 65, 89, 90, 91, 127, 128, 300, 1000):
        up = 1 << bits
        down = -up
        below = up - 1
    edge = 2 ** 63 - 1
    beyond = 2 ** 63
    low = -2 ** 63
    lower = -2 ** 63 - 1
    huge = 7 ** 3000
    digits = 10 ** 40
    small = [-6, -5, -1, 0, 1, 255, 256, 257]
    n = 0
    for i in range(300):
        n += i
    sub = Int(5)
    return n


def floats():
    a = 0.0
    b = -0.0
    c = 0.1 + 0.2
    d = 1e300 * 1e10
    e = -d
    nan = d - d
    f = 5e-324
    g = 1.7976931348623157e308
    h = 1e16
    i = 123456789012345680.0
    j = 1e-5
    k = 0.0001
    l = 1 / 3
    z = complex(1, -0.0)
    y = 1j
    x = complex(nan, d)
    w = -1.5e-7 + 2e20j
    s = Float(2.5)
    total = 0.0
    for n in range(20):
        total += n / 7
    return total


def others():
    t = True
    f = not t
    none = None
    dots = ...
    no = NotImplemented
    color = Color.RED
    green = Color.GREEN
    level = Level.HIGH
    bits = Bits.A | Bits.B
    r1 = range(3)
    r2 = range(1, 10, 2)
    r3 = range(-5, 2 ** 70)
    r4 = range(10, 0, -3)
    s1 = slice(3)
    s2 = slice(1, 10, 2)
    s3 = slice(None, None, -1)
    return none


ints()
floats()
others()
