"""The unix echo server: its own client, its file, names without one."""
import os
import stat
import subprocess
import sys

from echoes import EchoServer  # Found and run by main.
import served
from served import main


class OwnClient(served.Served):
    """The same program with a message."""

    on_path = True

    def ask(self, *args):
        """@return status, words and errors of the client."""
        done = subprocess.run([served.PROGRAM, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=served.STEP_S)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    async def test_message(self):
        for message in ("a word", "", "--port"):
            self.assertEqual((0, message + "\n", ""), self.ask(*self.server.place, message))

    async def test_nobody_there(self):
        status, _, errors = self.ask("--unix", self.server.path + "x", "hello")
        self.assertEqual(1, status)
        self.assertIn("ENOENT", errors)
        self.assertEqual(2, self.ask("a word")[0])  # To whom?

    async def test_file(self):
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.server.path).st_mode))
        status, _, errors = self.ask(*self.server.place)
        self.assertEqual(1, status)
        self.assertIn("EADDRINUSE", errors)

    async def test_stale_file(self):
        # A server that was killed has left it.
        self.server.process.kill()
        self.server.end()
        self.assertTrue(os.path.exists(self.server.path))
        again = self.start(path=self.server.path)
        self.assertEqual((0, "here\n", ""), self.ask(*again.place, "here"))

    async def test_abstract_name(self):
        if not sys.platform.startswith("linux"):
            self.skipTest("abstract names are Linux's")
        server = self.start(path=f"@uva-test-{os.getpid()}")
        self.assertEqual((0, "here\n", ""), self.ask(*server.place, "here"))


main()
