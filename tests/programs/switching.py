"""Two threads that hand over to each other at every turn. What they share is in no frame that another shows."""
import threading

kept, started = [], []
a, b = threading.Lock(), threading.Lock()


def log(x):
    kept.append(x)


def turn(first, n):
    me, other = (a, b) if first else (b, a)
    for i in range(n):
        me.acquire()
        x = i * 2
        log(x)
        other.release()


def main():
    b.acquire()
    for first in (True, False):
        started.append(threading.Thread(target=turn, args=(first, 20)))
    started[0].start()
    started[1].start()
    for i in (0, 1):
        started[i].join()


main()
