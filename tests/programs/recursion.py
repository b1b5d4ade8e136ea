def down(n):
    if n == 0:
        return 0
    return down(n - 1) + 1


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def unwinding(n):
    if n == 0:
        raise ValueError("bottom")
    unwinding(n - 1)


down(900)
even(50)
try:
    unwinding(300)
except ValueError:
    pass
