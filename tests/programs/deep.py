"""Recursion 900 deep, back up, and an exception through all of it."""


def down(n):
    if n == 0:
        return 0
    r = down(n - 1)
    return r + 1


def fall(n):
    if n == 0:
        raise ValueError("bottom")
    fall(n - 1)


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def main():
    a = down(900)
    try:
        fall(900)
    except ValueError as e:
        b = str(e)
    c = even(600)
    return a


main()
