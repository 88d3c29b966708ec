"""host_uvloop.py LIBRARY ORDER: a guest on uvloop.

Its tasks await callbacks of Python's: timers, an executor, and sockets of both
ends. The loop ends as asyncio.run would end it.
"""
import asyncio
import ctypes
import sys

try:
    import uvloop
    from uvloop.loop import libuv_get_loop_t_ptr
except ImportError as error:
    print(f"no uvloop that tells its loop: {error}")
    sys.exit(77)

ECANCELED = -125
LIMIT_S = 20


class Guest:
    """The functions of the library, with the guest as their first argument."""

    def __init__(self, path, loop):
        self.library = ctypes.CDLL(path)
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype = ctypes.c_void_p
        pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        attach = self.library.guest_attach
        attach.restype = ctypes.c_void_p
        attach.argtypes = [ctypes.c_void_p]
        self.pointer = attach(pointer(libuv_get_loop_t_ptr(loop), None))
        assert self.pointer

    def __getattr__(self, name):
        function = getattr(self.library, "guest_" + name)

        def call(*numbers):
            return function(ctypes.c_void_p(self.pointer), *numbers)

        return call


async def echo(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


async def talk(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(20):
        line = b"line %d\n" % number
        writer.write(line)
        assert await reader.readline() == line
    writer.close()
    await writer.wait_closed()


async def work(guest):
    """@return The number of a wait whose callback is still to come."""
    loop = asyncio.get_running_loop()
    later = guest.expect(0)
    loop.call_later(0.002, guest.complete, later, 1)
    computed = guest.expect(0)
    executed = loop.run_in_executor(None, sum, range(10))
    executed.add_done_callback(
        lambda future: guest.complete(computed, future.result()))
    cancelled = guest.expect(0)
    late = guest.expect(1)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    guest.talk(server.sockets[0].getsockname()[1])
    while not guest.port():
        await asyncio.sleep(0.001)
    guest.cancel(cancelled)
    await talk(guest.port())
    while not guest.ready():
        await asyncio.sleep(0.001)
    guest.complete(cancelled, 1)
    server.close()
    await server.wait_closed()
    for number, result in (later, 1), (computed, 45), (cancelled, ECANCELED):
        if guest.result(number) != result:
            guest.fail(b"a callback of Python's gave something else")
    return late


async def both(guest, order):
    late = await asyncio.wait_for(work(guest), LIMIT_S)
    if order in ("guest", "detach"):
        if order == "guest":
            guest.leave()
        else:
            guest.detach()
        while not guest.gone():
            await asyncio.sleep(0.001)
        guest.complete(late, 1)
    elif order == "both":
        guest.leave()


def main(path, order):
    loop = uvloop.new_event_loop()
    guest = Guest(path, loop)
    loop.run_until_complete(both(guest, order))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    if order == "host":
        # uvloop does not close the handles of others, and refuses to close a
        # loop that has some: they go while it closes its own.
        guest.detach()
    loop.close()
    del loop
    return guest.finish() != 0


sys.exit(main(*sys.argv[1:]))
