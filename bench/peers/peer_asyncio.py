"""asyncio and uvloop: the commands of uva_bench, the same lines.

    peer_asyncio.py asyncio|uvloop NAME [ARGUMENT...]
"""
import asyncio
import json
import random
import sys
import time

LOOP, NAME = sys.argv[1], sys.argv[2]


def argument(index, missing):
    return int(float(sys.argv[index])) if len(sys.argv) > index else missing


def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def say(**fields):
    print(json.dumps(dict(peer=LOOP, **fields)), flush=True)


class Mark:
    def __init__(self):
        self.cpu_ns, self.wall_ns = time.process_time_ns(), time.monotonic_ns()

    def spent(self):
        return (time.process_time_ns() - self.cpu_ns,
                time.monotonic_ns() - self.wall_ns)

    def end(self, bench, count):
        cpu_ns, wall_ns = self.spent()
        say(bench=bench, n=count, wall_ns=wall_ns / count, cpu_ns=cpu_ns / count)


async def nothing():
    pass


async def yields(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def ctx():
    tasks, count = argument(3, 2), argument(4, 200000)
    mark = Mark()
    await asyncio.gather(*[yields(count // tasks) for _ in range(tasks)])
    mark.end("ctx%d" % tasks, count)


async def spawn_seq():
    count = argument(3, 50000)
    mark = Mark()
    for _ in range(count):
        await asyncio.create_task(nothing())
    mark.end("spawn_seq", count)


async def spawn_batch():
    count, batch = argument(3, 100000), argument(4, 100000)
    mark = Mark()
    for _ in range(count // batch):
        for task in [asyncio.create_task(nothing()) for _ in range(batch)]:
            await task
    mark.end("spawn_batch", count)


async def gather():
    count = argument(3, 100000)
    for bench in ("gather", "gather_warm"):
        mark = Mark()
        await asyncio.gather(*[yields(1) for _ in range(count)])
        mark.end(bench, count)


async def live():
    count = argument(3, 100000)
    gate = asyncio.get_running_loop().create_future()

    async def blocked():
        await gate
    before, mark = rss(), Mark()
    tasks = [asyncio.create_task(blocked()) for _ in range(count)]
    await asyncio.sleep(0)
    say(bench="live", n=count, rss_per=(rss() - before) / count,
        cpu_ns=mark.spent()[0] / count)
    gate.set_result(None)
    await asyncio.gather(*tasks)


async def timers():
    count, late = argument(3, 100000), []
    delays = random.Random(1)

    async def nap(seconds):
        due = time.monotonic_ns() + int(seconds * 1e9)
        await asyncio.sleep(seconds)
        late.append(time.monotonic_ns() - due)
    mark = Mark()
    await asyncio.gather(*[nap(delays.random()) for _ in range(count)])
    cpu_ns, wall_ns = mark.spent()
    late.sort()
    say(bench="timers", n=count, cpu_s=cpu_ns / 1e9, wall_s=wall_ns / 1e9,
        late_min_us=late[0] / 1e3, late_p50_us=late[count // 2] / 1e3,
        late_p99_us=late[count * 99 // 100] / 1e3, late_max_us=late[-1] / 1e3)


async def chan():
    count, capacity = argument(3, 50000), argument(4, 1)
    queue = asyncio.Queue(capacity)

    async def consumer():
        for _ in range(count):
            await queue.get()
    mark = Mark()
    task = asyncio.create_task(consumer())
    for item in range(count):
        await queue.put(item)
    await task
    mark.end("chan%d" % capacity, count)


async def echo_client(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def echo():
    server = await asyncio.start_server(echo_client, "127.0.0.1", 0,
                                        backlog=4096)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1],
          flush=True)
    await server.serve_forever()


async def crawl():
    port, count = argument(3, 80), argument(4, 10)

    async def page():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        text = await reader.read()
        writer.close()
        return len(text)
    mark = Mark()
    await asyncio.gather(*[page() for _ in range(count)])
    cpu_ns, wall_ns = mark.spent()
    say(bench="crawl", n=count, wall_s=wall_ns / 1e9, cpu_s=cpu_ns / 1e9)


if LOOP == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run({
    "ctx": ctx, "spawn_seq": spawn_seq, "spawn_batch": spawn_batch,
    "gather": gather, "live": live, "timers": timers, "chan": chan,
    "echo": echo, "crawl": crawl,
}[NAME]())
