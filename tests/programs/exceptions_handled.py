class Mine(Exception):
    def __init__(self, code):
        super().__init__("mine", code)
        self.code = code


def boom(x):
    raise ValueError("bad %d" % x)


def middle(x):
    y = x + 1
    boom(y)


def reraise():
    try:
        middle(1)
    except ValueError:
        note = "seen"
        raise


def chain():
    try:
        boom(2)
    except ValueError as e:
        raise Mine(7) from e


def final():
    try:
        return "early"
    finally:
        cleaned = True


def swallow():
    try:
        boom(3)
    finally:
        return "swallowed"


class Ctx:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return True


def suppressed():
    with Ctx() as c:
        boom(4)
    return c


def implicit():
    try:
        1 / 0
    except ZeroDivisionError:
        pass
    try:
        [][1]
    except IndexError:
        pass
    try:
        unknown
    except NameError:
        pass
    try:
        {}["k"]
    except KeyError:
        pass


def loop():
    n = 0
    for i in range(5):
        try:
            if i % 2:
                raise Mine(i)
            n += 1
        except Mine as e:
            n += e.code
        else:
            n += 100
    return n


def groups():
    try:
        raise ExceptionGroup("eg", [ValueError(1), TypeError(2)])
    except* ValueError as g:
        v = 1
    except* TypeError as g:
        v = 2


for f in (reraise, chain):
    try:
        f()
    except Exception as e:
        kept = e.args
final()
swallow()
suppressed()
implicit()
loop()
groups()
try:
    raise SystemExit(3)
except SystemExit as e:
    code = e.code
