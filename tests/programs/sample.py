"""A small shop's day, to look at in a trace."""
from dataclasses import dataclass


@dataclass
class Order:
    item: str
    count: int
    price: float


def total(orders, discount=0.0):
    amount = 0.0
    for o in orders:
        amount += o.count * o.price
    return round(amount * (1 - discount), 2)


def restock(stock, orders):
    for o in orders:
        left = stock.get(o.item, 0) - o.count
        if left < 0:
            raise LookupError("only %d %s left" % (stock.get(o.item, 0), o.item))
        stock[o.item] = left


stock = {"apple": 10, "pear": 2}
day = [Order("apple", 3, 0.5), Order("pear", 4, 0.75)]
print("total", total(day, discount=0.1))
try:
    restock(stock, day)
except LookupError as e:
    print("not today:", e)
