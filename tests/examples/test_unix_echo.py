"""The unix echo server: by its own client, asyncio, socat; and over TCP."""
import asyncio
import os
import shutil
import subprocess
import tempfile

import echoes
import served
from served import MIB, exchange, main, within


class UnixEcho(echoes.EchoServer):
    def start_unix(self, path):
        process = subprocess.Popen(
            [served.PROGRAM, "--unix", path], stdout=subprocess.PIPE,
            preexec_fn=served.before_exec)
        served.started.append(process)
        self.assertEqual(f"listening on {path}\n".encode(), process.stdout.readline())
        return process

    def end_unix(self, process):
        process.send_signal(served.signal.SIGINT)
        self.assertEqual(0, process.wait(served.STEP_S))
        process.stdout.close()

    async def test_clients(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "echo")
            process = self.start_unix(path)
            self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
            own = subprocess.run([served.PROGRAM, "--unix", path, "a word"],
                                 stdout=subprocess.PIPE, timeout=served.STEP_S)
            self.assertEqual((0, b"a word\n"), (own.returncode, own.stdout))
            reader, writer = await within(asyncio.open_unix_connection(path))
            self.assertEqual(MIB, await exchange(reader, writer, MIB))
            writer.close()
            if shutil.which("socat"):
                out = subprocess.run(["socat", "-t", "10", "-", f"UNIX-CONNECT:{path}"],
                                     input=b"over socat", stdout=subprocess.PIPE,
                                     timeout=served.STEP_S)
                self.assertEqual(b"over socat", out.stdout)
            second = subprocess.run([served.PROGRAM, "--unix", path],
                                    stderr=subprocess.PIPE, timeout=served.STEP_S)
            self.assertEqual(1, second.returncode)
            self.assertIn(b"EADDRINUSE", second.stderr)
            self.end_unix(process)
            self.assertEqual([], os.listdir(folder))

    async def test_abstract_name(self):
        if not served.sys.platform.startswith("linux"):
            self.skipTest("abstract names are Linux's")
        name = f"@uva-test-{os.getpid()}"
        process = self.start_unix(name)
        own = subprocess.run([served.PROGRAM, "--unix", name, "here"],
                             stdout=subprocess.PIPE, timeout=served.STEP_S)
        self.assertEqual(b"here\n", own.stdout)
        self.end_unix(process)


main()
