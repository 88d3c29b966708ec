"""The proxy, between clients and backends of asyncio, curl, nc and socat."""
import asyncio
import collections
import contextlib
import socket

import served
from served import (
    MIB, echo_at_once, exchange, load, main, refusing_port, reset, send, serve_pages,
    silent_port, usage_status, within)


class Backend:
    """A server of asyncio's that counts its connections."""

    def __init__(self, serve):
        self.serve = serve
        self.failures = []
        self.served = 0
        self.tasks = set()

    async def start(self, case):
        self.listener = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]
        case.addCleanup(lambda: case.assertEqual([], self.failures))
        case.addAsyncCleanup(self.stop)
        return f"127.0.0.1:{self.port}"

    async def stop(self):
        self.listener.close()
        if self.tasks:
            await within(asyncio.wait(self.tasks))

    async def connected(self, reader, writer):
        self.served += 1
        self.tasks.add(asyncio.current_task())
        try:
            await self.serve(reader, writer)
        except Exception as failure:
            self.failures.append(repr(failure))
        finally:
            writer.close()


async def echo_whole(reader, writer):
    """Answer when the client has ended, not before."""
    await send(writer, await within(reader.read()))


class TcpProxy(served.Served):
    async def asyncSetUp(self):
        # The other setUp has no loop yet, and the backends come first.
        await super().asyncSetUp()
        self.backend = Backend(echo_whole)
        self.server = self.start(await self.backend.start(self))

    def setUp(self):
        pass

    async def test_half_close_of_the_client(self):
        for size in (0, 1, 1 << 20):
            reader, writer = await self.connect()
            self.assertEqual(MIB[:size], await exchange(reader, writer, MIB[:size]))

    async def test_half_close_of_the_backend(self):
        got = asyncio.get_running_loop().create_future()

        async def talk_then_listen(reader, writer):
            await send(writer, MIB, eof=True)
            got.set_result(await within(reader.read()))

        server = self.start(await Backend(talk_then_listen).start(self))
        reader, writer = await self.connect(server)
        self.assertEqual(MIB, await within(reader.read()))
        await send(writer, MIB[::-1], eof=True)
        self.assertEqual(MIB[::-1], await within(got))

    async def test_turns(self):
        def named(name):
            async def serve(reader, writer):
                await within(reader.read())
                await send(writer, name)
            return Backend(serve)

        port, keeper = refusing_port()
        with keeper:
            server = self.start(
                await named(b"a").start(self), f"127.0.0.1:{port}", await named(b"b").start(self))
            heard = collections.Counter()
            for _ in range(8):
                reader, writer = await self.connect(server)
                heard[await exchange(reader, writer, b"")] += 1
        self.assertEqual({b"a": 4, b"b": 4}, heard)

    async def test_reset_of_the_backend(self):
        async def begin_and_leave(reader, writer):
            await send(writer, b"begin")
            await within(reader.readexactly(1))
            reset(writer)

        server = self.start(await Backend(begin_and_leave).start(self))
        reader, writer = await self.connect(server)
        self.assertEqual(b"begin", await within(reader.readexactly(5)))
        await send(writer, b"x")
        try:
            self.assertEqual(b"", await within(reader.read()))
        except ConnectionResetError:
            pass

    async def test_backend_that_leaves_while_the_client_sends(self):
        """What is sent to it fails with another code than a reset: EPIPE."""
        async def leave(reader, writer):
            await within(reader.readexactly(1))

        server = self.start(await Backend(leave).start(self))
        reader, writer = await self.connect(server)
        await send(writer, b"x")
        self.assertEqual(b"", await within(reader.read()))
        with self.assertRaises(ConnectionError):
            while True:
                await send(writer, b"x")
                await asyncio.sleep(0.001)

    async def test_reset_of_the_client(self):
        gone = asyncio.get_running_loop().create_future()

        async def wait_for_the_end(reader, writer):
            await within(reader.readexactly(1))
            try:
                gone.set_result(await within(reader.read()))
            except ConnectionResetError:
                gone.set_result(b"")

        server = self.start(await Backend(wait_for_the_end).start(self))
        reader, writer = await self.connect(server)
        await send(writer, b"x")
        reset(writer)
        self.assertEqual(b"", await within(gone))

    async def test_slow_client(self):
        async def much(reader, writer):
            for _ in range(20):
                await send(writer, MIB)

        server = self.start(await Backend(much).start(self))
        reader, writer = await self.connect(server, limit=1000)
        for _ in range(20):
            self.assertEqual(MIB, await within(reader.readexactly(len(MIB))))
        self.assertEqual(b"", await within(reader.read()))

    async def test_interrupt(self):
        clients = [await self.connect() for _ in range(3)]
        for _, writer in clients:
            await send(writer, b"here")
        while self.backend.served < 3:
            await asyncio.sleep(0)
        self.server.interrupt()
        for reader, _ in clients:
            await within(reader.read())
        self.ended(self.server)

    async def test_interrupt_of_a_backend_that_does_not_read(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        server = self.start(f"127.0.0.1:{listener.getsockname()[1]}")
        reader, writer = await self.connect(server)
        await self.fill(writer)
        server.interrupt()
        self.ended(server)

    async def test_interrupt_of_a_backend_that_ignores_the_end(self):
        """The client has ended, and nothing comes from the backend."""
        arrived, over = asyncio.Event(), asyncio.Event()

        async def ignore(reader, writer):
            await within(reader.read())
            arrived.set()
            await within(over.wait())

        backend = await Backend(ignore).start(self)
        self.addCleanup(over.set)
        server = self.start(backend)
        reader, writer = await self.connect(server)
        writer.write_eof()
        await within(arrived.wait())
        server.interrupt()
        with contextlib.suppress(ConnectionError):
            self.assertEqual(b"", await within(reader.read()))
        self.ended(server)

    async def test_interrupt_while_it_connects(self):
        server = self.start(f"127.0.0.1:{await silent_port(self)}")
        reader, writer = await self.connect(server)
        await send(writer, b"here")
        await asyncio.sleep(0.2)
        server.interrupt()
        with contextlib.suppress(ConnectionError):
            self.assertEqual(b"", await within(reader.read()))
        self.ended(server)

    async def test_backend_that_does_not_answer(self):
        """One client waits for it, while the other one has its turn."""
        server = self.start(
            f"127.0.0.1:{await silent_port(self)}", await Backend(echo_whole).start(self))
        clients = [await self.connect(server) for _ in range(2)]
        self.assertEqual([b"x", b"x"], await asyncio.gather(*(
            exchange(*client, b"x") for client in clients)))

    async def test_load(self):
        backends = [Backend(echo_at_once) for _ in range(3)]
        server = self.start(*[await backend.start(self) for backend in backends])
        await load(self, lambda: self.connect(server), 90)
        self.assertEqual([30, 30, 30], [backend.served for backend in backends])

    async def test_nc(self):
        self.assertEqual(MIB, await self.beside(self.nc, MIB))

    async def test_socat(self):
        self.assertEqual(MIB, await self.beside(self.socat, MIB))

    async def test_usage(self):
        for args in ((), ("--port", "0"), ("nowhere",), ("--pot", "0", "a:1")):
            self.assertEqual(2, usage_status(*args))


class NoBackend(served.Served):
    """Nobody is there; each client is told so by the end."""

    quiet = False

    def setUp(self):
        port, keeper = refusing_port()
        self.addCleanup(keeper.close)
        self.server = self.start(f"127.0.0.1:{port}")

    async def test_all_refuse(self):
        reader, _ = await self.connect()
        self.assertEqual(b"", await within(reader.read()))
        self.server.interrupt()
        status, said = self.server.end()
        self.assertEqual(0, status)
        self.assertIn("connection refused", said)


class Curl(served.Served):
    """A page through the proxy."""

    def setUp(self):
        self.server = self.start(f"127.0.0.1:{serve_pages(self)}")

    async def test_page(self):
        if self.server.path:
            place = "--unix-socket", self.server.path, "http://localhost/"
        else:
            place = (f"http://{self.server.host}:{self.server.port}/",)
        self.assertEqual(MIB, self.run_client("curl", "-sS", "--noproxy", "*", *place))


main()
