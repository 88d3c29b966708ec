"""gdb commands for programs that use uva.

info uva-tasks   every unfinished task of every loop: what it does, what it
                 waits for
uva bt [N...]    the stack of each suspended task of those numbers, or of all

Both work on a process and on a core file, without debug information of uva and
on stripped programs: the library has a table of what they need. gdb loads this
file by itself beside an installed shared library; else: source uva-gdb.py
"""
import re
import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

SYMBOL = "uva_debug_descriptor"
SECTION = ".uva_debug"
MAGIC = b"uva-dbg\0"
VERSION = 1
NAME_BYTES = 28
# A list that does not end is one that was read while it changed.
MOST_TASKS = 20_000_000

# Of the words at the stack pointer of a suspended task, those that a caller
# relies on; the stack pointer itself lies behind the last word.
REGISTERS = {
    "x86_64": ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip"),
    "aarch64": ("x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27",
                "x28", "x29", "pc"),
}
FRAME_BYTES = {"x86_64": 56, "aarch64": 160}


# --- memory ---

def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def pointer(address):
    return struct.unpack("P", read(address, 8))[0]


def text(address):
    if address == 0:
        return ""
    string = gdb.Value(address).cast(gdb.lookup_type("char").pointer())
    return string.string(errors="replace")


# --- the library in the program ---

class Library:
    """One copy of uva: its numbers by name, its loops."""

    def __init__(self, address):
        head = read(address, 64)
        magic, version, count, numbers, self.loop_list, registers = \
            struct.unpack_from("=8sIIQQ16s", head)
        if magic != MAGIC or version != VERSION:
            raise gdb.GdbError("this program has a uva that uva-gdb.py does not know")
        self.registers = registers.rstrip(b"\0").decode()
        entry = struct.Struct(f"={NAME_BYTES}sI")
        table = read(numbers, count * entry.size)
        self.numbers = {name.rstrip(b"\0").decode(): value
                        for name, value in entry.iter_unpack(table)}

    def __getitem__(self, name):
        return self.numbers[name]

    def linked(self, head, offset):
        """The objects of a list."""
        link = pointer(head)
        for _ in range(MOST_TASKS):
            if link in (0, head):
                return
            yield link - offset
            link = pointer(link)

    def tasks(self):
        for loop in self.linked(self.loop_list, self["loop.registered"]):
            for task in self.linked(loop + self["loop.tasks"], self["task.link"]):
                yield Task(self, loop, task)


def addresses():
    """Of the descriptors of the program: by symbol, or by section."""
    found = set()
    for symbol in gdb.lookup_static_symbols(SYMBOL):
        found.add(int(symbol.value().address))
    try:
        found.add(int(gdb.parse_and_eval(f"(long)&{SYMBOL}")))
    except gdb.error:
        pass
    for line in gdb.execute("info files", to_string=True).splitlines():
        place = re.match(rf"\s*(0x[0-9a-f]+) - 0x[0-9a-f]+ is {re.escape(SECTION)}\b", line)
        if place:
            found.add(int(place.group(1), 16))
    return sorted(found)


def all_tasks():
    libraries = [Library(address) for address in addresses()]
    if not libraries:
        raise gdb.GdbError("there is no uva in this program")
    return [task for library in libraries for task in library.tasks()]


class Task:
    def __init__(self, library, loop, address):
        self.library = library
        self.loop = loop
        self.address = address
        future = address + library["task.base"]
        self.state, self.kind, self.phase = (
            read(future + library["future." + name], 1)[0]
            for name in ("state", "kind", "phase"))
        self.flags = struct.unpack("H", read(future + library["future.flags"], 2))[0]
        self.coro = pointer(address + library["task.coro"])
        self.current = pointer(loop + library["loop.current"]) == address

    def flag(self, name):
        return self.flags & self.library["flag." + name] != 0

    def frame(self):
        kind = "stackless" if self.flag("stackless") else "stackful"
        return self.address + self.library[f"task.{kind}_frame"]

    def function(self):
        # Where the function of a task is not the coroutine's its name lies in
        # the frame.
        name = pointer(self.coro + self.library["coro.name"]) or pointer(self.frame())
        return text(name) or "?"

    def name(self):
        extra = pointer(self.address + self.library["task.extra"])
        return text(pointer(extra + self.library["extra.name"])) if extra else ""

    def awaited(self):
        """The address of the future that it awaits; else None."""
        if self.phase == self.library["phase.future"]:
            return pointer(self.address + self.library["task.future"])
        return None

    def doing(self):
        if self.current:
            return "running"
        if self.flag("new"):
            return "not started"
        future = self.awaited()
        if future is not None:
            state = read(future + self.library["future.state"], 1)[0]
            return "waiting" if state == self.library["state.pending"] else "ready"
        return "waiting" if self.phase == self.library["phase.wait"] else "ready"

    def place(self, numbers):
        """Where it stands, and for what future."""
        if self.current or self.flag("new"):
            return ""
        if self.flag("stackless"):
            offset = struct.unpack("I", read(self.coro + self.library["coro.place"], 4))[0]
            line = struct.unpack("i", read(self.frame() + offset, 4))[0]
            place = f"line {line & self.library['line.mask']}"
        else:
            place = text(pointer(self.address + self.library["task.what"]))
        future = self.awaited()
        if future is None:
            return place
        kind = read(future + self.library["future.kind"], 1)[0]
        if kind == self.library["kind.task"]:
            number = numbers.get(future - self.library["task.base"])
            return place + (f", task {number}" if number else ", a task that has ended")
        loop = pointer(future + self.library["future.loop"])
        kinds = loop + self.library["loop.kinds"]
        ops = pointer(kinds + kind * struct.calcsize("P"))
        return place + ", " + text(pointer(ops + self.library["kind.describe"]))

    def suspended(self):
        """Its registers by name; None for one without a stack of its own."""
        library = self.library
        if self.current or self.flag("stackless") or self.flag("new"):
            return None
        names = REGISTERS.get(library.registers)
        if names is None:
            raise gdb.GdbError(f"stacks are switched by {library.registers}: "
                               "their registers cannot be read")
        flow = pointer(self.address + library["task.flow"])
        sp = pointer(flow + library["context.sp"])
        words = struct.unpack(f"={len(names)}Q", read(sp, 8 * len(names)))
        registers = dict(zip(names, words))
        registers["sp"] = sp + FRAME_BYTES[library.registers]
        return registers


# --- stacks ---

class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TaskUnwinder(Unwinder):
    """While registers are given, they are those of the caller of the newest
    frame: what gdb finds above it is the stack of the task. Nothing of the
    process is changed, so it works on a core file too."""

    def __init__(self):
        super().__init__("uva-task")
        self.registers = None
        self.newest = None

    def __call__(self, pending_frame):
        if self.registers is None:
            return None
        sp, pc = (pending_frame.read_register(name) for name in ("sp", "pc"))
        if (int(sp), int(pc)) != self.newest:
            return None
        # gdb takes a stack whose frames do not follow each other for corrupt.
        below = gdb.Value(self.registers["sp"] - 16).cast(sp.type)
        unwind_info = pending_frame.create_unwind_info(FrameId(below, pc))
        for name, value in self.registers.items():
            kind = pending_frame.read_register(name).type
            unwind_info.add_saved_register(name, gdb.Value(value).cast(kind))
        return unwind_info

    def backtrace(self, registers):
        """The lines of the stack with these registers."""
        gdb.execute("frame 0", to_string=True)
        newest = gdb.newest_frame()
        self.newest = tuple(int(newest.read_register(name)) for name in ("sp", "pc"))
        self.registers = registers
        try:
            gdb.invalidate_cached_frames()
            lines = gdb.execute("bt", to_string=True).splitlines()
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()
        first = next((i for i, line in enumerate(lines) if line.startswith("#1 ")), len(lines))
        return [re.sub(r"^#(\d+)( *)", lambda m: f"#{int(m.group(1)) - 1:<{len(m.group()) - 1}}", line)
                for line in lines[first:]]


unwinder = TaskUnwinder()
register_unwinder(None, unwinder, replace=True)


# --- commands ---

class InfoTasks(gdb.Command):
    """List the unfinished tasks of all uva loops: info uva-tasks"""

    def __init__(self):
        super().__init__("info uva-tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        tasks = all_tasks()
        numbers = {task.address: i for i, task in enumerate(tasks, 1)}
        rows = [("N", "state", "function", "name", "waits in")]
        for i, task in enumerate(tasks, 1):
            rows.append((str(i), task.doing(), task.function(), task.name(),
                         task.place(numbers)))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths)]
            print("  ".join([*cells, row[4]]).rstrip())
        loops = len({task.loop for task in tasks})
        print(f"{len(tasks)} tasks of {loops} loops")


class UvaPrefix(gdb.Command):
    """Commands for programs that use uva."""

    def __init__(self):
        super().__init__("uva", gdb.COMMAND_STACK, prefix=True)


class Backtrace(gdb.Command):
    """Print the stacks of suspended uva tasks: uva bt [N...], as in info uva-tasks"""

    def __init__(self):
        super().__init__("uva bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        tasks = all_tasks()
        numbers = [self.number(word, tasks) for word in gdb.string_to_argv(argument)]
        places = {task.address: i for i, task in enumerate(tasks, 1)}
        for number in numbers or range(1, len(tasks) + 1):
            task = tasks[number - 1]
            print(f"task {number}, {task.function()}, {task.doing()}")
            registers = task.suspended()
            if registers is not None:
                print("\n".join(unwinder.backtrace(registers)))
            elif task.current:
                print("  it runs: see bt of its thread")
            elif task.flag("stackless") and not task.flag("new"):
                print(f"  it has no stack: {task.place(places)}")

    @staticmethod
    def number(word, tasks):
        if not word.isdecimal() or not 1 <= int(word) <= len(tasks):
            raise gdb.GdbError(f"no task has the number {word}: see info uva-tasks")
        return int(word)


InfoTasks()
UvaPrefix()
Backtrace()
