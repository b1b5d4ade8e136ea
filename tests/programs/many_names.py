"""A module with more names than one event reads, bound, rebound, changed inside and deleted."""
for i in range(400):
    globals()["n%03d" % i] = i * 1000

first = n000 + n399
n000 = "rebound"
box = [1]
n200 = box
box.append(2)
n399 = n200
box.append(3)
del n100
n401 = "after a hole"
del n000, n001, n002
for i in range(500, 900):
    globals()["m%d" % i] = float(i)
    if i > 505:
        break
n000 = "back"
last = [n000, n401]


def inside():
    return m500


inside()


class Body:
    x = 1
    for k in range(3):
        y = k
    del y
    z = [x]


last.append(inside())
