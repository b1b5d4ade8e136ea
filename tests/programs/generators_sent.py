def count(n):
    for i in range(n):
        got = yield i
    return "done"


def careful():
    try:
        while True:
            try:
                got = yield 1
            except ValueError as e:
                got = str(e)
                yield got
    finally:
        closed = True


def outer(n):
    r = yield from count(n)
    return r


def failing():
    yield 1
    raise LookupError("inside")


def nones():
    yield
    yield None


def main():
    c = count(3)
    first = next(c)
    second = c.send("hello")
    rest = list(c)
    k = careful()
    next(k)
    k.throw(ValueError("thrown"))
    k.close()
    u = careful()
    u.close()
    v = count(1)
    try:
        v.throw(KeyError("unstarted"))
    except KeyError as e:
        seen = e.args
    for x in outer(2):
        pass
    try:
        for x in failing():
            pass
    except LookupError as e:
        msg = str(e)
    w = careful()
    next(w)
    try:
        w.throw(TypeError("through"))
    except TypeError:
        pass
    for x in nones():
        y = x
    gexp = sum(z * z for z in range(4))
    return rest


main()
