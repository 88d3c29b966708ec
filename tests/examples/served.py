"""Run one of the servers of examples/, and ask it with clients that are not ours.

A script test_<name>.py of this folder gets the program and its own limit of
time in seconds. Each of its tests has a server of its own on a port that the
system chose; the test ends by Ctrl-C, a status of 0, and no word on standard
error. A test whose client is missing is skipped, and says so.
"""
import asyncio
import contextlib
import ctypes
import http.server
import os
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
    if sys.platform == "linux":
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with the test.


class Server:
    """A running example."""

    def __init__(self, *args):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [PROGRAM, "--port", "0", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
            preexec_fn=before_exec)
        started.append(self.process)
        line = self.process.stdout.readline().decode()
        match = re.match(r"listening on (127\.0\.0\.1):([1-9]\d*)\n\Z", line)
        if not match:
            raise AssertionError(f"the server says {line!r} {self.said()}")
        self.host, self.port = match[1], int(match[2])

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

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
    quiet = True  # Nothing is said on standard error.

    def setUp(self):
        self.server = self.start()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # It tells what is slow.

    def start(self, *args):
        server = Server(*(args or self.args))
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

    async def connect(self, server=None, **options):
        """A client of asyncio's: reader and writer, closed with the test."""
        server = server or self.server
        reader, writer = await within(asyncio.open_connection(
            server.host, server.port, **options))
        self.addAsyncCleanup(close, writer)
        return reader, writer

    async def fill(self, writer):
        """Send until nobody takes more for half a second."""
        with contextlib.suppress(asyncio.TimeoutError):
            while True:
                writer.write(MIB)
                await asyncio.wait_for(writer.drain(), 0.5)

    def run_client(self, *command, data=b"", statuses=(0,)):
        """A program as client. @return What it has printed."""
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=STEP_S)
        self.assertIn(done.returncode, statuses, done.stderr)
        return done.stdout

    def nc(self, data):
        """Send data by nc, end the half, read to the end."""
        if not shutil.which("nc"):
            self.skipTest("no nc")
        usage = subprocess.run(["nc", "-h"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not re.search(rb"-N\b|\[-[0-9A-Za-z]*N", usage.stdout):
            self.skipTest("no nc that ends its half: -N of OpenBSD's")
        return self.run_client("nc", "-N", self.server.host, str(self.server.port), data=data)

    def socat(self, data):
        """The same by socat."""
        return self.run_client("socat", "-t", str(STEP_S), "-",
                               f"TCP:{self.server.host}:{self.server.port}", data=data)


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
    try:
        unittest.main(argv=sys.argv[:1], verbosity=2)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
