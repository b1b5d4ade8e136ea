import asyncio


async def leaf(n):
    await asyncio.sleep(0)
    return n * 2


async def agen(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)


class Manager:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *exc):
        self.left = True


async def failing():
    await asyncio.sleep(0)
    raise ValueError("async")


async def main():
    a = await leaf(1)
    got = []
    async for x in agen(3):
        got.append(x)
    async with Manager() as m:
        inside = 1
    try:
        await failing()
    except ValueError as e:
        msg = str(e)
    both = await asyncio.gather(leaf(2), leaf(3))
    comp = [y async for y in agen(2)]
    t = asyncio.ensure_future(asyncio.sleep(10))
    await asyncio.sleep(0)
    t.cancel()
    try:
        await t
    except asyncio.CancelledError:
        cancelled = True
    return both


asyncio.run(main())
