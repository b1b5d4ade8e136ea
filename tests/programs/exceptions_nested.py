"""Exceptions: raised, caught, re-raised, chained, through frames, in finally, in handlers, groups."""


class Custom(Exception):
    pass


def boom(x):
    raise ValueError("bad %d" % x)


def through(x):
    y = x + 1
    boom(y)
    return "never"


def finally_runs(log):
    try:
        boom(1)
    finally:
        log.append("finally")


def reraised():
    try:
        boom(2)
    except ValueError:
        seen = True
        raise


def chained():
    try:
        boom(3)
    except ValueError as e:
        raise Custom("outer") from e


def in_handler():
    try:
        boom(4)
    except ValueError:
        return 1 // 0


def return_in_finally():
    try:
        boom(5)
    finally:
        return "swallowed"


def loop():
    out = []
    for i in range(4):
        try:
            if i == 1:
                continue
            if i == 3:
                break
            out.append(10 // (i - 2))
        except ZeroDivisionError:
            out.append(None)
        else:
            out.append("ok")
        finally:
            out.append(i)
    return out


def nested():
    try:
        try:
            boom(6)
        except KeyError:
            wrong = True
        finally:
            inner = True
    except ValueError as e:
        text = str(e)
    return text


def group():
    try:
        raise ExceptionGroup("eg", [ValueError(1), TypeError("t")])
    except* ValueError as e:
        v = len(e.exceptions)
    except* TypeError as e:
        t = len(e.exceptions)
    return v, t


def from_c():
    try:
        int("x")
    except ValueError:
        pass
    try:
        {}["k"]
    except KeyError as e:
        k = e
    try:
        [].missing
    except AttributeError:
        pass
    try:
        undefined
    except NameError:
        pass
    return sorted([3, 1], key=lambda v: -v)


def callback(n):
    if n == 2:
        raise Custom(n)
    return n


class Suppress:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        return True


def suppressed():
    with Suppress():
        boom(7)
    return "went on"


def asserts():
    try:
        assert 1 == 2, "no"
    except AssertionError as e:
        m = e.args
    return m


def main():
    log = []
    for f in (through, boom):
        try:
            f(10)
        except ValueError as e:
            last = e.args
    for f in (reraised, chained, in_handler):
        try:
            f()
        except Exception as e:
            kind = type(e).__name__
    try:
        finally_runs(log)
    except ValueError:
        pass
    a = return_in_finally()
    b = loop()
    c = nested()
    d = group()
    e = from_c()
    try:
        list(map(callback, [1, 2, 3]))
    except Custom as x:
        n = x.args[0]
    s = suppressed()
    m = asserts()
    return a, b


main()
