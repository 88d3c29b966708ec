"""The SOCKS proxy: curl and socat through it, and what it answers byte by byte."""
import asyncio
import contextlib
import errno
import itertools
import socket
import struct

import served
from served import (
    MIB, echo_at_once, exchange, load, main, refusing_port, reset, send, serve_pages,
    silent_port, usage_status, within)

HELLO = b"\x05\x01\x00"
WELCOME = b"\x05\x00"
REFUSED, NET_UNREACHABLE, HOST_UNREACHABLE, BAD_COMMAND, BAD_ADDRESS = 5, 3, 4, 7, 8


def to_ipv4(host, port, command=1):
    return bytes([5, command, 0, 1]) + socket.inet_aton(host) + struct.pack(">H", port)


def to_ipv6(host, port):
    return b"\x05\x01\x00\x04" + socket.inet_pton(socket.AF_INET6, host) + struct.pack(">H", port)


def to_name(name, port):
    return b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack(">H", port)


async def echo_whole(reader, writer):
    await send(writer, await within(reader.read()), eof=True)
    writer.close()


class Socks(served.Served):
    async def ask(self, request):
        """@return reader, writer and the reply."""
        reader, writer = await self.connect()
        await send(writer, HELLO)
        self.assertEqual(WELCOME, await within(reader.readexactly(2)))
        await send(writer, request)
        answer = await within(reader.readexactly(10))
        self.assertEqual((5, 0, 1), (answer[0], answer[2], answer[3]))
        return reader, writer, answer[1]

    async def is_refused(self, request, reply):
        reader, _, answer = await self.ask(request)
        self.assertEqual(reply, answer)
        self.assertEqual(b"", await within(reader.read()))

    async def echo(self, host="127.0.0.1", serve=echo_whole):
        """@return The port of a target, which answers when its client has ended
        unless serve does something else."""
        server = await asyncio.start_server(serve, host, 0)
        self.addCleanup(server.close)
        return server.sockets[0].getsockname()[1]

    async def test_ipv4(self):
        reader, writer, reply = await self.ask(to_ipv4("127.0.0.1", await self.echo()))
        self.assertEqual(0, reply)
        self.assertEqual(MIB, await exchange(reader, writer, MIB))

    async def test_ipv6(self):
        try:
            port = await self.echo("::1")
        except OSError:
            self.skipTest("no IPv6")
        reader, writer, reply = await self.ask(to_ipv6("::1", port))
        self.assertEqual(0, reply)
        self.assertEqual(MIB, await exchange(reader, writer, MIB))

    async def test_name(self):
        reader, writer, reply = await self.ask(to_name(b"localhost", await self.echo()))
        self.assertEqual(0, reply)
        self.assertEqual(MIB, await exchange(reader, writer, MIB))

    async def test_byte_by_byte(self):
        reader, writer = await self.connect()
        for byte in HELLO + to_ipv4("127.0.0.1", await self.echo()):
            await send(writer, bytes([byte]))
        self.assertEqual(WELCOME, await within(reader.readexactly(2)))
        self.assertEqual(0, (await within(reader.readexactly(10)))[1])
        self.assertEqual(b"x", await exchange(reader, writer, b"x"))

    async def test_all_at_once(self):
        # What the target is to get may come right behind the request.
        reader, writer = await self.connect()
        request = HELLO + to_ipv4("127.0.0.1", await self.echo())
        answer = await exchange(reader, writer, request + MIB)
        self.assertEqual(MIB, answer[2 + 10:])

    async def test_bad_version(self):
        for hello in (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"GET / HTTP/1.0\r\n\r\n"):
            reader, writer = await self.connect()
            await send(writer, hello)
            self.assertEqual(b"", await within(reader.read()))

    async def test_password_only(self):
        for methods in (b"\x01\x02", b"\x02\x01\x02", b"\x00"):
            reader, writer = await self.connect()
            await send(writer, b"\x05" + methods)
            self.assertEqual(b"\x05\xff", await within(reader.read()))

    async def test_bad_requests(self):
        for command in (0, 2, 3, 9):
            await self.is_refused(to_ipv4("127.0.0.1", 1, command), BAD_COMMAND)
        await self.is_refused(b"\x05\x01\x00\x02\x00\x00\x00", BAD_ADDRESS)
        await self.is_refused(to_name(b"", 1), BAD_ADDRESS)
        reader, writer = await self.connect()
        await send(writer, HELLO + b"\x04" + to_ipv4("127.0.0.1", 1)[1:])
        self.assertEqual(WELCOME, await within(reader.read()))

    async def test_refused(self):
        port, keeper = refusing_port()
        with keeper:
            await self.is_refused(to_ipv4("127.0.0.1", port), REFUSED)
            await self.is_refused(to_name(b"127.0.0.1", port), REFUSED)

    async def test_unreachable(self):
        replies = {errno.ENETUNREACH: NET_UNREACHABLE, errno.EHOSTUNREACH: HOST_UNREACHABLE}
        with socket.socket() as probe:
            code = probe.connect_ex(("255.255.255.255", 9))
        if code not in replies:
            self.skipTest(f"the system says {errno.errorcode[code]} of 255.255.255.255")
        await self.is_refused(to_ipv4("255.255.255.255", 9), replies[code])

    async def test_unknown_name(self):
        # Longer than a part of a name can be: no server of names is asked.
        await self.is_refused(to_name(b"x" * 255, 80), HOST_UNREACHABLE)

    async def test_clients_that_leave(self):
        for part in (b"", b"\x05", HELLO, HELLO + b"\x05\x01\x00\x03\xff", b"\x05\xff\x00"):
            reader, writer = await self.connect()
            await send(writer, part, eof=True)
            self.assertIn(await within(reader.read()), (b"", WELCOME))
            _, writer = await self.connect()
            await send(writer, part)
            reset(writer)
        await self.test_ipv4()

    async def test_interrupt(self):
        reader, writer, reply = await self.ask(to_ipv4("127.0.0.1", await self.echo()))
        self.assertEqual(0, reply)
        shy, _ = await self.connect()
        self.server.interrupt()
        self.assertEqual(b"", await within(reader.read()))
        self.assertEqual(b"", await within(shy.read()))
        self.ended(self.server)

    async def test_half_close_of_the_target(self):
        got = asyncio.get_running_loop().create_future()

        async def talk_then_listen(reader, writer):
            await send(writer, MIB, eof=True)
            got.set_result(await within(reader.read()))
            writer.close()

        port = await self.echo(serve=talk_then_listen)
        reader, writer, _ = await self.ask(to_ipv4("127.0.0.1", port))
        self.assertEqual(MIB, await within(reader.read()))
        await send(writer, MIB[::-1], eof=True)
        self.assertEqual(MIB[::-1], await within(got))

    async def test_reset_of_the_target(self):
        async def leave(reader, writer):
            await within(reader.readexactly(1))
            reset(writer)

        _, writer, _ = opened = await self.ask(
            to_ipv4("127.0.0.1", await self.echo(serve=leave)))
        await send(writer, b"x")
        with contextlib.suppress(ConnectionError):
            self.assertEqual(b"", await within(opened[0].read()))

    async def test_interrupt_while_it_connects(self):
        reader, writer = await self.connect()
        await send(writer, HELLO + to_ipv4("127.0.0.1", await silent_port(self)))
        self.assertEqual(WELCOME, await within(reader.readexactly(2)))
        await asyncio.sleep(0.2)
        self.server.interrupt()
        with contextlib.suppress(ConnectionError):
            self.assertEqual(b"", await within(reader.read()))
        self.ended(self.server)

    async def test_load(self):
        port = await self.echo(serve=echo_at_once)
        requests = itertools.cycle((to_ipv4("127.0.0.1", port), to_name(b"localhost", port)))

        async def connect():
            reader, writer, reply = await self.ask(next(requests))
            self.assertEqual(0, reply)
            return reader, writer

        await load(self, connect, 90)

    def curl(self, by_name, host, port, **options):
        """curl through the proxy, which looks up a name that comes by name."""
        scheme = "socks5h" if by_name else "socks5"
        place = f"localhost{self.server.path}"
        if not self.server.path:
            place = f"{self.server.host}:{self.server.port}"
        elif "Unix" not in str(self.run_client("curl", "--version")) or self.curl_is_old():
            self.skipTest("no curl that asks proxies on unix sockets: 7.84")
        return self.run_client("curl", "-sS", "--noproxy", "", "--proxy", f"{scheme}://{place}",
                               f"http://{host}:{port}/", **options)

    def curl_is_old(self):
        version = self.run_client("curl", "--version").split()[1].split(b".")
        return [int(number) for number in version[:2]] < [7, 84]

    async def test_curl(self):
        port = serve_pages(self)
        # Where curl looks names up by itself it may take ::1 alone.
        for by_name, host in ((False, "127.0.0.1"), (True, "127.0.0.1"), (True, "localhost")):
            self.assertEqual(MIB, self.curl(by_name, host, port))

    async def test_curl_refused(self):
        # The status is that of older and of newer ones; the number is the reply.
        port, keeper = refusing_port()
        with keeper:
            for by_name in (False, True):
                self.curl(by_name, "127.0.0.1", port, statuses=(7, 97), errors=b"(5)")

    async def test_nc(self):
        port = await self.echo()
        answer = await self.beside(self.nc, HELLO + to_ipv4("127.0.0.1", port) + MIB)
        self.assertEqual(MIB, answer[2 + 10:])

    async def test_socat(self):
        """socat is the client of the protocol, on the port alone."""
        if self.server.path:
            self.skipTest("socat asks proxies on ports alone")
        port = await self.echo()
        place = f"SOCKS5-CONNECT:{self.server.host}:{self.server.port}:127.0.0.1:{port}"
        if b"socks5-connect" not in self.run_client("socat", "-h").lower():
            self.skipTest("no socat that speaks SOCKS 5: 1.8")
        self.assertEqual(MIB, await self.beside(
            self.run_client, "socat", "-t", str(served.STEP_S), "-", place, data=MIB))

    async def test_usage(self):
        self.assertEqual(2, usage_status("--pot", "1"))


main()
