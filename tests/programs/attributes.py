"""Instances whose attributes come, go and outgrow what their class has seen."""


class Bag:
    pass


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y


def grow(n):
    bag = Bag()
    for i in range(n):
        setattr(bag, "a%d" % i, i * 1000)
    return bag


def many():
    last = None
    for i in range(60):
        bag = grow(i)
        last = bag
    return last


def removed():
    p = Point("left", 2.5)
    del p.x
    p.z = [p]
    p.x = "again"
    del p.y
    return p


def own_dict():
    p = Point(1, 2)
    q = Point(3, 4)
    d = p.__dict__
    d["x"] = 10
    p.w = "w"
    q.__dict__ = {"x": "other", "v": None}
    return p, q


def two_orders():
    p = Point.__new__(Point)
    p.y = 1
    p.x = 2
    return p


class Late:
    pass


def seen_before_its_attributes():
    late = [Late() for _ in range(40)]
    for n in late:
        n.one = 1
        n.two = "two"
    return late[0]


grow(3)
many()
removed()
own_dict()
two_orders()
seen_before_its_attributes()
