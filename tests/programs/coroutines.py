"""async def: await, async for, async with, comprehensions, cancellation; driven by hand and by asyncio."""
import asyncio


class Step:
    def __init__(self, value):
        self.value = value

    def __await__(self):
        got = yield self.value
        return got


async def leaf(x):
    r = await Step(x)
    return r


async def chain(x):
    a = await leaf(x)
    b = await leaf(a)
    return a + b


async def numbers(n):
    for i in range(n):
        yield i


class Manager:
    async def __aenter__(self):
        return "entered"

    async def __aexit__(self, *exc):
        return False


async def uses():
    total = 0
    async for n in numbers(3):
        total += n
    async with Manager() as m:
        total += len(m)
    squares = [n * n async for n in numbers(3)]
    return total, squares


async def fails():
    await Step("before")
    raise LookupError("failed")


def by_hand():
    c = chain(1)
    first = c.send(None)
    second = c.send(10)
    try:
        c.send(20)
    except StopIteration as s:
        result = s.value
    f = fails()
    f.send(None)
    try:
        f.send(None)
    except LookupError as e:
        error = e.args
    t = leaf(5)
    t.send(None)
    try:
        t.throw(ValueError("into"))
    except ValueError:
        thrown = True
    closed = leaf(6)
    closed.send(None)
    closed.close()
    return result


async def sleeper(n):
    await asyncio.sleep(0)
    return n


async def cancelled():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        seen = True
        raise


async def main():
    u = await uses()
    g = await asyncio.gather(sleeper(1), sleeper(2))
    t = asyncio.ensure_future(cancelled())
    await asyncio.sleep(0)
    t.cancel()
    try:
        await t
    except asyncio.CancelledError:
        done = True
    return u[0]


by_hand()
asyncio.run(main())
