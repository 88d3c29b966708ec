"""Tests that every echo server passes, asked by asyncio, nc and socat."""
import asyncio
import os
import signal

import served
from served import MIB, close, exchange, reset, send, usage_status, within


class EchoServer(served.Served):
    async def test_sizes(self):
        for size in (0, 1, 1000, 65536, 1 << 20):
            reader, writer = await self.connect()
            self.assertEqual(MIB[:size], await exchange(reader, writer, MIB[:size]))

    async def test_answers_before_the_end(self):
        reader, writer = await self.connect()
        for size in (1, 10, 5000):
            await send(writer, MIB[:size])
            self.assertEqual(MIB[:size], await within(reader.readexactly(size)))

    async def test_many_at_once(self):
        async def client(i):
            reader, writer = await self.connect()
            data = MIB[i:i + 100000]
            self.assertEqual(data, await exchange(reader, writer, data))
            await close(writer)

        await asyncio.gather(*(client(i) for i in range(50)))

    async def test_nc(self):
        self.assertEqual(MIB, self.nc(MIB))

    async def test_socat(self):
        self.assertEqual(MIB, self.socat(MIB))

    async def test_reset(self):
        reader, writer = await self.connect()
        await send(writer, MIB[:100])
        reset(writer)
        reader, writer = await self.connect()
        self.assertEqual(b"there", await exchange(reader, writer, b"there"))

    async def test_interrupt(self):
        clients = [await self.connect() for _ in range(3)]
        for reader, writer in clients:
            await send(writer, b"here")
            self.assertEqual(b"here", await within(reader.readexactly(4)))
        self.server.interrupt()
        for reader, writer in clients:
            self.assertEqual(b"", await within(reader.read()))
        self.ended(self.server)

    async def test_interrupt_of_a_client_that_does_not_read(self):
        reader, writer = await self.connect(limit=1000)
        await self.fill(writer)
        self.server.interrupt()
        self.ended(self.server)

    async def test_second_interrupt(self):
        # The first one waits for the client, the second one does not.
        if "TSAN_OPTIONS" in os.environ:
            self.skipTest("TSan holds signals back")
        reader, writer = await self.connect(limit=1000)
        await self.fill(writer)
        self.server.interrupt()
        with self.assertRaises(OSError):
            while True:  # Until nobody listens.
                await close((await self.connect())[1])
        self.server.interrupt()
        self.assertEqual((-signal.SIGINT, ""), self.server.end())

    async def test_usage(self):
        self.assertEqual(2, usage_status("--pot", "1"))
        self.assertEqual(2, usage_status("--port"))
        self.assertEqual(2, usage_status("--port", "0", "--unix", "somewhere"))
        self.assertEqual(1, usage_status("--port", "65536"))
        self.assertEqual(1, usage_status("--unix", "/nowhere/at/all"))
        self.assertEqual(1, usage_status("--unix", ""))
        self.assertEqual(1, usage_status("--unix", "x" * 200))
        self.assertEqual(1, usage_status(*self.server.place))  # It is in use.
