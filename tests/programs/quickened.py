"""Hot loops: the interpreter specializes them, and takes that back."""


class P:
    def __init__(self, v):
        self.v = v


def add(a, b):
    return a + b


def hot(items):
    total = items[0]
    for x in items:
        total = add(total, x)
    return total


def attrs(objs):
    n = 0
    for o in objs:
        n += o.v
        o.v = n
    return n


def reuse():
    for i in range(60):
        a = i + 1000
        b = [a]
        c = {"k": a}
        d = (a, str(a))
    return d


hot(list(range(40)))
hot([float(i) for i in range(40)])
hot(["s"] * 20)
attrs([P(i) for i in range(40)])
attrs([P(i / 2) for i in range(10)])
reuse()
