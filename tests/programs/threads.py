"""Threads one after another, and two at once whose calls are told apart by their own thread."""
import threading


def work(n, out):
    total = 0
    for i in range(n):
        total += i
    out.append(total)
    return total


def failing():
    raise ValueError("in a thread")


def quiet(args):
    seen = args.exc_type


def main():
    out = []
    for n in (3, 5):
        t = threading.Thread(target=work, args=(n, out), name="w%d" % n)
        t.start()
        t.join()
        del t
    threading.excepthook = quiet
    t = threading.Thread(target=failing, name="f")
    t.start()
    t.join()
    del t
    return out


main()
