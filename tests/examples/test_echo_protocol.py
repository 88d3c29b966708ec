"""The echo server of callbacks, over TCP and on a unix socket."""
import asyncio
import os
import subprocess
import tempfile

import echoes
import served
from served import MIB, exchange, main, within


class EchoProtocol(echoes.EchoServer):
    async def test_unix(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "echo")
            process = subprocess.Popen(
                [served.PROGRAM, "--unix", path], stdout=subprocess.PIPE,
                preexec_fn=served.before_exec)
            served.started.append(process)
            self.assertEqual(f"listening on {path}\n".encode(), process.stdout.readline())
            reader, writer = await within(asyncio.open_unix_connection(path))
            self.assertEqual(MIB, await exchange(reader, writer, MIB))
            writer.close()
            process.send_signal(served.signal.SIGINT)
            self.assertEqual(0, process.wait(served.STEP_S))
            process.stdout.close()
            self.assertEqual([], os.listdir(folder))


main()
