"""Run one of the servers of examples/, and ask it with clients that are not ours.

A script test_<name>.py of this folder gets the program and its own limit of
time in seconds. Each of its tests runs twice: with a server of its own on a port
that the system chose, and with one on a unix socket. The test ends by Ctrl-C, a
status of 0, no word on standard error, and no file that is left. A test whose
client is missing is skipped, and says so.
"""
import asyncio
import contextlib
import ctypes
import http.server
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

if sys.version_info < (3, 8):
    print("SKIP: python3 is older than 3.8")
    sys.exit(77)

PROGRAM = sys.argv[1]
STEP_S = 30  # For one step of a client; a busy machine takes long.
MIB = bytes(i * i % 251 for i in range(1 << 20))

started = []
libc = ctypes.CDLL(None)


def before_exec():
    # Whoever started the tests may have been deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if os.environ.get("UVA_TEST_IO") == "uv":
        # libuv's writes raise it; subprocess has given it back its default.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if sys.platform == "linux":
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with the test.


class Server:
    """A running example: on a port, or on the path of a unix socket. launcher is
    a command that starts it; options are those of subprocess.Popen."""

    def __init__(self, *args, path=None, launcher=(), **options):
        self.path = path
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*launcher, PROGRAM, *(("--unix", path) if path else ("--port", "0")), *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
            preexec_fn=before_exec, **options)
        started.append(self.process)
        line = self.process.stdout.readline().decode()
        place = re.escape(path) if path else r"(127\.0\.0\.1):([1-9]\d*)"
        match = re.match(f"listening on {place}\n\\Z", line)
        if not match:
            raise AssertionError(f"the server says {line!r} {self.said()}")
        if path:
            self.place = "--unix", path
        else:
            self.host, self.port = match[1], int(match[2])
            self.place = "--port", match[2]

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def interrupt(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def end(self):
        """Wait for the end. @return Its status and what it has said."""
        if "TSAN_OPTIONS" in os.environ:
            # TSan keeps a signal that comes while a task runs for the stack of
            # that task, which may never run again.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            if self.process.poll() is None:
                self.interrupt()
        status = self.process.wait(STEP_S)
        self.process.stdout.close()
        said = self.said()
        self.errors.close()
        return status, said


class Served(unittest.IsolatedAsyncioTestCase):
    """Tests of one server; args are what it is started with."""

    args = ()
    on_path = False  # On a unix socket; main makes such a class of each.
    quiet = True  # Nothing is said on standard error.

    def setUp(self):
        self.server = self.start()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # It tells what is slow.

    def start(self, *args, path=None):
        if self.on_path and path is None:
            folder = tempfile.mkdtemp(prefix="uva")
            # Last of all: it fails if the server has left its file.
            self.addCleanup(os.rmdir, folder)
            path = os.path.join(folder, "socket")
        server = Server(*(args or self.args), path=path)
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server):
        if server.errors.closed:
            return
        server.interrupt()
        self.ended(server)

    def ended(self, server, words=""):
        status, said = server.end()
        self.assertEqual(0, status, said)
        if self.quiet:
            self.assertEqual(words, said)

    async def test_terminate(self):
        reader, _ = await self.connect()
        self.server.interrupt(signal.SIGTERM)
        await within(reader.read())
        self.ended(self.server)

    async def connect(self, server=None, **options):
        """A client of asyncio's: reader and writer, closed with the test."""
        server = server or self.server
        if server.path:
            opening = asyncio.open_unix_connection(server.path, **options)
        else:
            opening = asyncio.open_connection(server.host, server.port, **options)
        reader, writer = await within(opening)
        self.addAsyncCleanup(close, writer)
        return reader, writer

    async def connect_narrow(self):
        """The same, with little room for what the server sends."""
        server = self.server
        small = socket.socket(socket.AF_UNIX if server.path else socket.AF_INET)
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await within(asyncio.get_running_loop().sock_connect(
            small, server.path or (server.host, server.port)))
        # A socket that is connected already is of either family here.
        reader, writer = await within(asyncio.open_connection(sock=small, limit=1000))
        self.addAsyncCleanup(close, writer)
        return reader, writer

    async def fill(self, writer):
        """Send until nobody takes more for half a second."""
        with contextlib.suppress(asyncio.TimeoutError):
            while True:
                writer.write(MIB)
                await asyncio.wait_for(writer.drain(), 0.5)

    async def beside(self, client, *args, **options):
        """Run a client that is a program, while servers of this loop go on."""
        return await asyncio.get_running_loop().run_in_executor(
            None, lambda: client(*args, **options))

    def run_client(self, *command, data=b"", statuses=(0,), errors=b""):
        """A program as client. @return What it has printed; errors is a part
        of what it prints on standard error."""
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=STEP_S)
        self.assertIn(done.returncode, statuses, done.stderr)
        self.assertIn(errors, done.stderr)
        return done.stdout

    def nc(self, data):
        """Send data by nc, end the half, read to the end."""
        if not shutil.which("nc"):
            self.skipTest("no nc")
        usage = subprocess.run(["nc", "-h"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not re.search(rb"-N\b|\[-[0-9A-Za-z]*N", usage.stdout):
            self.skipTest("no nc that ends its half: -N of OpenBSD's")
        server = self.server
        place = ("-U", server.path) if server.path else (server.host, str(server.port))
        return self.run_client("nc", "-N", *place, data=data)

    def socat(self, data):
        """The same by socat."""
        server = self.server
        place = f"UNIX-CONNECT:{server.path}" if server.path else f"TCP:{server.host}:{server.port}"
        return self.run_client("socat", "-t", str(STEP_S), "-", place, data=data)


class Page(http.server.BaseHTTPRequestHandler):
    """A page of one mebibyte."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(MIB)))
        self.end_headers()
        self.wfile.write(MIB)

    def log_message(self, *args):
        pass


def serve_pages(case):
    """A server of Python's, until the test ends. @return Its port."""
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=pages.serve_forever)
    thread.start()
    case.addCleanup(pages.server_close)
    case.addCleanup(thread.join)
    case.addCleanup(pages.shutdown)
    return pages.server_port


def within(awaitable):
    return asyncio.wait_for(awaitable, STEP_S)


async def close(writer):
    writer.close()
    with contextlib.suppress(OSError):
        await within(writer.wait_closed())


async def send(writer, data, eof=False):
    writer.write(data)
    await within(writer.drain())
    if eof:
        writer.write_eof()


async def exchange(reader, writer, data):
    """Send data and the end, and meanwhile read to the end."""
    received, _ = await asyncio.gather(within(reader.read()), send(writer, data, eof=True))
    return received


def reset(writer):
    """Leave without good-bye."""
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def refusing_port():
    """A port that nobody listens on, and the socket that keeps it so."""
    keeper = socket.socket()
    keeper.bind(("127.0.0.1", 0))
    return keeper.getsockname()[1], keeper


async def silent_port(case):
    """A port whose listener answers nobody: its backlog is full. @return The
    port, or a skipped test where the system answers all the same."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    case.addCleanup(listener.close)
    address = listener.getsockname()
    for _ in range(10):
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(*address), 0.5)
        except asyncio.TimeoutError:
            return address[1]
        case.addAsyncCleanup(close, writer)
    case.skipTest("a full backlog does not keep clients waiting")


class Dice(random.Random):
    """Random sizes that a failed test tells how to get again."""

    def __init__(self):
        self.first = random.randrange(1 << 32)
        super().__init__(self.first)

    def __str__(self):
        return f"seed {self.first}"

    def piece(self, size):
        """A piece of MIB, of up to size bytes, and mostly of fewer."""
        size = int(size ** self.random())
        begin = self.randrange(len(MIB) - size)
        return MIB[begin:begin + size]


async def echo_at_once(reader, writer):
    """Answer as it comes, in reads of any size, then end the half."""
    while True:
        data = await within(reader.read(70000))
        if not data:
            break
        await send(writer, data)
    writer.write_eof()


async def load(case, connect, count):
    """Clients at once: each sends pieces and its end, and reads meanwhile. There
    are fewer than the 100 that the system holds for a server: asyncio takes a
    unix socket that was refused for a connection."""
    dice = Dice()
    work = [[dice.piece(100000) for _ in range(dice.randrange(4))] for _ in range(count)]

    async def client(reader, writer, pieces):
        received = asyncio.ensure_future(within(reader.read()))
        for piece in pieces:
            await send(writer, piece)
            await asyncio.sleep(0)
        writer.write_eof()
        case.assertEqual(b"".join(pieces), await received, dice)
        await close(writer)

    clients = await asyncio.gather(*(connect() for _ in work))
    await asyncio.gather(*(
        client(*connection, pieces) for connection, pieces in zip(clients, work)))


def usage_status(*args):
    """The status of the program with arguments that it refuses."""
    return subprocess.run([PROGRAM, *args], stderr=subprocess.DEVNULL, timeout=STEP_S).returncode


def main():
    def give_up(number, frame):
        raise SystemExit(f"given up: {signal.Signals(number).name}")

    # The servers end with the tests, however those end.
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, give_up)
    signal.alarm(int(sys.argv[2]) if len(sys.argv) > 2 else 60)
    module = sys.modules["__main__"]
    for name, tests in list(vars(module).items()):
        if isinstance(tests, type) and issubclass(tests, Served) and not tests.on_path:
            on_path = type(name + "OnPath", (tests,), {"on_path": True, "__module__": "__main__"})
            setattr(module, on_path.__name__, on_path)
    try:
        unittest.main(argv=sys.argv[:1], verbosity=2)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
