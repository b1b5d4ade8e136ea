"""Generators: yields, sends, throws, closes, delegation, unwinding."""


def count(n):
    for i in range(n):
        yield i
    return "end"


def echo():
    got = None
    while True:
        got = yield got
        if got == "stop":
            return "stopped"


def guarded():
    try:
        x = yield 1
        y = yield x
    except ValueError as e:
        caught = str(e)
        yield caught
    finally:
        done = True
    yield "after"


def outer(n):
    first = yield from count(n)
    second = yield from guarded()
    return first, second


def nothing():
    return
    yield


def yields_none():
    yield
    yield None


def raises():
    yield 1
    raise KeyError("inside")


def cleanup(log):
    try:
        yield
        yield None
    finally:
        log.append("cleaned")


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


def in_with():
    with Context() as c:
        yield
        yield 2


def main():
    a = list(count(3))
    e = echo()
    next(e)
    r1 = e.send(10)
    r2 = e.send("text")
    try:
        e.send("stop")
    except StopIteration as s:
        value = s.value
    g = guarded()
    next(g)
    r3 = g.send("sent")
    r4 = g.throw(ValueError("thrown"))
    r5 = next(g)
    g.close()
    o = outer(2)
    b = [next(o), next(o), next(o)]
    r6 = o.throw(ValueError, "deep")
    o.close()
    c = list(nothing())
    d = list(yields_none())
    try:
        for x in raises():
            last = x
    except KeyError as err:
        problem = err
    log = []
    k = cleanup(log)
    next(k)
    k.close()
    k = cleanup(log)
    next(k)
    try:
        k.throw(RuntimeError("in cleanup"))
    except RuntimeError:
        pass
    w = in_with()
    next(w)
    w.close()
    unstarted = count(1)
    try:
        unstarted.throw(TypeError("unstarted"))
    except TypeError:
        pass
    never = count(5)
    never.close()
    del never
    gx = (i * 2 for i in range(3) if i != 1)
    h = list(gx)
    nested = [list(count(i)) for i in range(3)]
    z = sum(x for x in count(4))
    return a, b, c, d, h


main()
