"""Two threads that hand over to each other at every turn."""
import threading


def turn(me, other, n, log):
    for i in range(n):
        me.acquire()
        x = i * 2
        log(x)
        other.release()


def main():
    kept = []

    def log(x):
        kept.append(x)

    a, b = threading.Lock(), threading.Lock()
    b.acquire()
    ts = [threading.Thread(target=turn, args=args) for args in ((a, b, 20, log), (b, a, 20, log))]
    for t in ts:
        t.start()
    del t
    for i in range(2):
        ts.pop(0).join()
    return len(kept)


main()
