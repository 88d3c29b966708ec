"""The chat server, with people who read at different speeds."""
import asyncio
import collections
import contextlib

import served
from served import main, reset, send, usage_status, within


class Chat(served.Served):
    async def join(self, nick, server=None, **options):
        reader, writer = await self.connect(server, **options)
        await self.hears(reader, "your nick?")
        await send(writer, nick.encode() + b"\n")
        await self.hears(reader, f"{nick} joined")
        return reader, writer

    async def hears(self, reader, words):
        self.assertEqual(words + "\n", (await within(reader.readline())).decode())

    async def test_talk(self):
        alice, to_alice = await self.join("alice")
        bob, to_bob = await self.join("bob")
        await self.hears(alice, "bob joined")
        await send(to_alice, b"hello\r\n")
        for reader in (alice, bob):
            await self.hears(reader, "alice: hello")
        to_bob.write_eof()
        for reader in (alice, bob):
            await self.hears(reader, "bob left: good-bye")
        self.assertEqual(b"", await within(bob.read()))

    async def test_burst(self):
        # More than a queue holds; who reads misses nothing. A unix socket of
        # Linux has room for less than 300 writes of any size.
        count = 200 if self.on_path else 2000
        alice, to_alice = await self.join("alice")
        bob, _ = await self.join("bob")
        await self.hears(alice, "bob joined")
        await send(to_alice, b"".join(b"%d\n" % i for i in range(count)))
        for i in range(count):
            await self.hears(alice, f"alice: {i}")
            await self.hears(bob, f"alice: {i}")

    async def test_lost(self):
        alice, _ = await self.join("alice")
        _, to_bob = await self.join("bob")
        await self.hears(alice, "bob joined")
        reset(to_bob)
        # A unix socket knows no reset but that of a reader with bytes unread.
        why = "good-bye" if self.on_path else "connection reset by peer"
        await self.hears(alice, f"bob left: {why}")

    async def test_nicks(self):
        alice, _ = await self.join("alice")
        reader, writer = await self.connect()
        await self.hears(reader, "your nick?")
        for nick in ("alice", "", "a" * 21):
            await send(writer, nick.encode() + b"\n")
            await self.hears(reader, "taken, empty or too long; your nick?")
        await send(writer, b"a" * 20 + b"\n")
        for each in (alice, reader):
            await self.hears(each, "a" * 20 + " joined")

    async def test_nick_is_free_again(self):
        for _ in range(2):
            alice, to_alice = await self.join("alice")
            to_alice.write_eof()
            await self.hears(alice, "alice left: good-bye")
            self.assertEqual(b"", await within(alice.read()))

    async def test_long_line(self):
        alice, _ = await self.join("alice")
        bob, to_bob = await self.join("bob")
        await self.hears(alice, "bob joined")
        await send(to_bob, b"x" * 1000 + b"\n")
        await self.hears(alice, "bob: " + "x" * 1000)
        await send(to_bob, b"x" * 1001 + b"\n")
        await self.hears(alice, "bob left: separator not found within the limit")

    async def test_slow_reader(self):
        alice, to_alice = await self.join("alice")
        reader, writer = await self.connect_narrow()
        await send(writer, b"carol\n")
        await self.hears(alice, "carol joined")
        bob, _ = await self.join("bob")
        await self.hears(alice, "bob joined")
        # Ten times what the system holds for carol. Alice and bob miss nothing:
        # there are never more lines under way than a queue holds.
        count = 0
        for _ in range(250):
            lines = [f"{count + i} ".ljust(990, "x") for i in range(50)]
            count += len(lines)
            await send(to_alice, "".join(line + "\n" for line in lines).encode())
            for line in lines:
                await self.hears(alice, "alice: " + line)
                await self.hears(bob, "alice: " + line)
        # Carol got the first ones, missed some, and gets the last ones.
        heard = []
        while not heard or heard[-1] < count - 1:
            words = (await within(reader.readline())).decode().split()
            if words[0] == "alice:":
                heard.append(int(words[1]))
        self.assertEqual(sorted(set(heard)), heard)
        self.assertEqual(list(range(10)), heard[:10])
        self.assertEqual(list(range(count - 100, count)), heard[-100:])
        self.assertLess(len(heard), count)

    async def test_idle(self):
        server = self.start("--idle", "1")
        alice, to_alice = await self.join("alice", server)
        silent, _ = await self.connect(server)
        bob, _ = await self.join("bob", server)
        # Alice talks until bob is gone.
        line = ""
        while line != "bob left: connection timed out\n":
            await send(to_alice, b"are you there?\n")
            line = (await within(alice.readline())).decode()
        self.assertTrue((await within(bob.read())).endswith(line.encode()))
        self.assertEqual(b"your nick?\n", await within(silent.read()))

    async def test_nc(self):
        heard = self.nc(b"alice\nhello\n")
        self.assertEqual(
            b"your nick?\nalice joined\nalice: hello\nalice left: good-bye\n", heard)

    async def test_socat(self):
        heard = self.socat(b"alice\nhello\n")
        self.assertEqual(
            b"your nick?\nalice joined\nalice: hello\nalice left: good-bye\n", heard)

    async def test_interrupt(self):
        people = [await self.join(nick) for nick in ("alice", "bob", "carol")]
        people.append(await self.connect())
        self.server.interrupt()
        for reader, _ in people:
            await within(reader.read())
        self.ended(self.server)

    async def test_interrupt_while_one_talks_and_one_does_not_read(self):
        alice, to_alice = await self.join("alice")
        _, to_carol = await self.connect_narrow()
        await send(to_carol, b"carol\n")
        await self.hears(alice, "carol joined")

        async def talk():
            with contextlib.suppress(ConnectionError):
                while True:
                    await send(to_alice, (b"x" * 990 + b"\n") * 100)

        async def listen():
            with contextlib.suppress(ConnectionError):
                while await within(alice.read(100000)):
                    pass

        talking = asyncio.gather(talk(), listen())
        await asyncio.sleep(0.5)
        self.server.interrupt()
        await within(talking)
        self.ended(self.server)

    async def test_load(self):
        """Many people, each with lines of random sizes and a pause after each:
        everybody hears everything, and the lines of each in order."""
        dice = served.Dice()
        count, lines = 20, 20
        people = [await self.join(f"p{i}") for i in range(count)]
        said = [[f"{j} ".ljust(dice.randrange(4, 900), "x") for j in range(lines)]
                for i in range(count)]

        async def talk(reader, writer, own):
            # What is heard of oneself is the pause, so that no queue overflows.
            heard = collections.defaultdict(list)
            for line in own:
                await send(writer, line.encode() + b"\n")
                await listen(reader, heard, own=line)
            while sum(map(len, heard.values())) < count * lines:
                await listen(reader, heard)
            return heard

        async def listen(reader, heard, own=None):
            while True:
                nick, _, line = (await within(reader.readline())).decode().rstrip("\n").partition(": ")
                if line:  # Not one that joined.
                    heard[nick].append(line)
                    if own in (None, line):
                        return

        wanted = {f"p{i}": said[i] for i in range(count)}
        for heard in await asyncio.gather(*(
                talk(*people[i], said[i]) for i in range(count))):
            self.assertEqual(wanted, heard, dice)

    async def test_usage(self):
        self.assertEqual(2, usage_status("--pot", "1"))
        self.assertEqual(2, usage_status("--idle"))
        for idle in ("0", "-1", "inf", "nan", "long"):
            self.assertEqual(2, usage_status("--idle", idle))


main()
