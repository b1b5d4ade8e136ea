def counter():
    n = 0

    def step(by=1):
        nonlocal n
        n += by
        return n
    return step


def arg_in_cell(x, y):
    def get():
        return x
    x = x + 1
    y = get()
    return y


def late():
    def use():
        return value
    value = 5
    return use()


def deleted():
    v = [1]

    def use():
        return v
    use()
    del v
    w = 1
    return w


def star(*args, **kw):
    f = lambda: (args, kw)
    return f()


def defaults(a, b=2, /, c=3, *, d=4):
    e = a + b + c + d
    return e


s = counter()
s()
s(by=5)
arg_in_cell(1, 2)
late()
deleted()
star(1, 2, k=3)
defaults(1)
defaults(1, 5, c=6, d=7)
fs = [lambda i=i: i for i in range(3)]
got = [f() for f in fs]
total = 0


def use_global():
    global total
    total += 1
    return total


use_global()
exec("x1 = 1\nx2 = x1 + 1")
ev = eval("x2 * 2")
