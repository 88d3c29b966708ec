"""The pre-fork server: clients that lose nothing while workers come and go."""
import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import tempfile
import time
import unittest

from served import STEP_S, Server, close, main, send, usage_status, within

# A program that gets a listening socket as systemd passes it: as descriptor 3,
# with its own process id in the environment.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def is_alive(pid):
    """Whether a process runs. One that has ended may stay as a zombie: whoever
    adopts orphans, in a container, may wait for none."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


class Prefork(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # It tells what is slow.

    def start(self, *args, **options):
        server = Server(*args, **options)
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server):
        if not server.errors.closed:
            server.interrupt(signal.SIGTERM)
            server.end()

    def ended(self, server, words=""):
        """The server ends well, and so do its workers: each holds its output."""
        self.assertEqual(b"", server.process.stdout.read())
        status, said = server.end()
        self.assertEqual(0, status, said)
        self.assertRegex(said, f"\\A{words}\\Z")

    async def connect(self, server):
        reader, writer = await within(asyncio.open_connection(server.host, server.port))
        self.addAsyncCleanup(close, writer)
        return reader, writer

    async def ask(self, connection, words="hello"):
        """@return The process that has answered."""
        reader, writer = connection
        await send(writer, f"{words}\n".encode())
        pid, answer = (await within(reader.readline())).decode().split(" ", 1)
        self.assertEqual(f"{words.upper()}\n", answer)
        return int(pid)

    async def ask_new(self, server):
        connection = await self.connect(server)
        pid = await self.ask(connection)
        await close(connection[1])
        return pid

    async def clients(self, server, count, until):
        """Clients that connect, ask thrice and leave, over and over. @return
        The processes that have answered."""
        pids = set()

        async def client():
            while not until.is_set():
                connection = await within(asyncio.open_connection(server.host, server.port))
                pids.add(await self.ask(connection, "one"))
                await asyncio.sleep(0)
                for words in ("two", "three"):
                    await self.ask(connection, words)
                await close(connection[1])

        await asyncio.gather(*(client() for _ in range(count)))
        return pids

    async def replaced(self, server, old):
        """Wait until a process that is not in old answers. @return It."""
        deadline = time.monotonic() + STEP_S
        while time.monotonic() < deadline:
            pid = await self.ask_new(server)
            if pid not in old:
                return pid
        self.fail(f"none but {old} answers")

    async def gone(self, pids):
        deadline = time.monotonic() + STEP_S
        while any(map(is_alive, pids)) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self.assertEqual([], [pid for pid in pids if is_alive(pid)])

    async def test_stop(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.start("--workers", "3")
            pid = await self.ask_new(server)
            self.assertNotEqual(server.process.pid, pid)
            server.interrupt(number)
            self.ended(server)

    async def test_drain(self):
        # A connection goes on within the grace; an idle one is ended after it.
        server = self.start("--workers", "1", "--grace", "3")
        active, idle = await self.connect(server), await self.connect(server)
        pid = await self.ask(active)
        await self.ask(idle)
        begin = time.monotonic()
        server.interrupt(signal.SIGTERM)
        with self.assertRaises(OSError):
            while True:
                await self.ask_new(server)
        self.assertEqual(pid, await self.ask(active, "still here"))
        active[1].write_eof()
        self.assertEqual(b"", await within(active[0].read()))
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(b"", await within(idle[0].read()))
        self.assertGreater(time.monotonic() - begin, 2.9)
        self.ended(server)

    async def test_impatience(self):
        server = self.start("--workers", "2", "--grace", "600")
        reader, _ = connection = await self.connect(server)
        await self.ask(connection)
        server.interrupt(signal.SIGTERM)
        await asyncio.sleep(0.1)
        server.interrupt(signal.SIGTERM)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(b"", await within(reader.read()))
        self.ended(server)

    async def test_ctrl_c(self):
        # The terminal sends it to the whole group.
        server = self.start("--workers", "2", start_new_session=True)
        await self.ask_new(server)
        os.killpg(server.process.pid, signal.SIGINT)
        self.ended(server)

    async def test_reload(self):
        server = self.start("--workers", "2")
        until = asyncio.Event()
        asking = asyncio.ensure_future(self.clients(server, 20, until))
        kept = await self.connect(server)
        first = await self.ask(kept)
        seen = {first}
        for _ in range(8):
            await asyncio.sleep(0.1)
            server.interrupt(signal.SIGHUP)
            seen.add(await self.replaced(server, seen))
            self.assertEqual(first, await self.ask(kept))
        until.set()
        seen |= await within(asking)
        self.assertGreaterEqual(len(seen), 9)
        await close(kept[1])
        await self.gone([first])
        server.interrupt(signal.SIGTERM)
        self.ended(server)
        await self.gone(seen)

    async def test_many_reloads(self):
        # Faster than workers start.
        server = self.start("--workers", "4")
        until = asyncio.Event()
        asking = asyncio.ensure_future(self.clients(server, 20, until))
        for _ in range(150):
            server.interrupt(signal.SIGHUP)
            await asyncio.sleep(0.002)
        until.set()
        await within(asking)
        server.interrupt(signal.SIGTERM)
        self.ended(server)

    async def test_crash(self):
        server = self.start("--workers", "2")
        kept = await self.connect(server)
        first = await self.ask(kept)
        other = await self.connect(server)
        while (second := await self.ask(other)) == first:
            other = await self.connect(server)
        os.kill(second, signal.SIGKILL)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(b"", await within(other[0].read()))
        until = asyncio.Event()
        asking = asyncio.ensure_future(self.clients(server, 20, until))
        await self.replaced(server, {first})
        self.assertEqual(first, await self.ask(kept))
        until.set()
        self.assertNotIn(second, await within(asking))
        server.interrupt(signal.SIGTERM)
        await close(kept[1])
        self.ended(server, f"worker {second} ended unasked, signal 9\n")

    async def test_master_dies(self):
        if sys.platform != "linux":
            self.skipTest("workers do not hear of it")
        server = self.start("--workers", "2")
        kept = await self.connect(server)
        pid = await self.ask(kept)
        server.process.kill()
        self.assertEqual(pid, await self.ask(kept))
        await close(kept[1])
        await self.gone([pid])

    async def test_notify(self):
        folder = tempfile.TemporaryDirectory(prefix="uva")
        self.addCleanup(folder.cleanup)
        for name in (f"{folder.name}/notify", f"@uva-notify-{os.getpid()}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
                notes.bind(name.replace("@", "\0"))
                notes.settimeout(STEP_S)
                server = self.start("--workers", "2", env={**os.environ, "NOTIFY_SOCKET": name})
                self.assertEqual(b"READY=1", notes.recv(1000))
                begin = time.monotonic_ns() // 1000
                server.interrupt(signal.SIGHUP)
                match = re.match(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)\Z", notes.recv(1000))
                self.assertLessEqual(begin, int(match[1]))
                self.assertEqual(b"READY=1", notes.recv(1000))
                server.interrupt(signal.SIGTERM)
                self.assertEqual(b"STOPPING=1", notes.recv(1000))
                self.ended(server)

    async def test_passed_socket(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fd = listener.fileno()
            server = self.start(
                "--workers", "2", pass_fds=[fd],
                launcher=[sys.executable, "-c", LAUNCHER, str(fd)])
            self.assertEqual(listener.getsockname()[1], server.port)
            await self.ask_new(server)
            server.interrupt(signal.SIGTERM)
            self.ended(server)
            # It is open still, and another server can take it.
            client = asyncio.ensure_future(self.ask_new(server))
            again = self.start(
                pass_fds=[fd], launcher=[sys.executable, "-c", LAUNCHER, str(fd)])
            await within(client)
            again.interrupt(signal.SIGTERM)
            self.ended(again)

    async def test_sockets_of_another(self):
        # They are for the process that LISTEN_PID names.
        server = self.start(env={**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "1"})
        await self.ask_new(server)
        server.interrupt(signal.SIGTERM)
        self.ended(server)

    async def test_back_off(self):
        # Workers cannot serve a socket of datagrams.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong:
            wrong.bind(("127.0.0.1", 0))
            fd = wrong.fileno()
            begin = time.monotonic()
            server = self.start(
                "--workers", "1", pass_fds=[fd],
                launcher=[sys.executable, "-c", LAUNCHER, str(fd)])
            # After 0.1, 0.3 and 0.7 seconds.
            while server.said().count(" ended unasked, status 1\n") < 4:
                self.assertLess(time.monotonic() - begin, STEP_S)
                await asyncio.sleep(0.02)
            self.assertGreater(time.monotonic() - begin, 1.1)
            server.interrupt(signal.SIGTERM)
            self.ended(server, "(.*\n)*")

    async def test_usage(self):
        for args in (["--workers", "0"], ["--workers", "513"], ["--port", "65536"],
                     ["--grace", "-1"], ["--grace", "1s"], ["more"], ["--port"]):
            self.assertEqual(2, usage_status(*args))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.assertEqual(1, usage_status("--port", str(listener.getsockname()[1])))


if __name__ == "__main__":
    main()
