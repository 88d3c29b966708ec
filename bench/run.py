"""Floors, uva and peers in one interleaved run; a Markdown report with plots.

    run.py BIN [--out FOLDER] [--seconds N] [--pairs N] [--report]
    run.py BIN --against OTHER_BIN [--pairs N]

Every repetition runs every program of a row once, in a random order. A ratio is
taken within a repetition and its median over all, so that what the machine does
meanwhile falls on both sides alike. The A/A row is uva against itself: what
differs there is noise. With --against the programs are uva's alone, of two
builds, and their table goes to standard output.
"""
import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time

import plot

parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--out", default="build/bench")
parser.add_argument("--seconds", type=float, default=90,
                    help="for the repetitions; the scale runs come on top")
parser.add_argument("--pairs", type=int, default=40,
                    help="of echo servers, on top too")
parser.add_argument("--against", metavar="OTHER_BIN",
                    help="compare with another build, and with nothing else")
parser.add_argument("--report", action="store_true",
                    help="of the last run, without another one")
options = parser.parse_args()

HERE = os.path.dirname(os.path.abspath(__file__))
NULL = subprocess.DEVNULL
UVA, AGAIN, STACKLESS, PROTOCOL = "uva", "uva again", "uva stackless", "uva protocol"
OTHER = ", other build"


def own(name, *arguments):
    return [os.path.join(options.bin, name), *map(str, arguments)]


def uva(*arguments):
    return own("uva_bench", *arguments)


def stackless(*arguments):
    return own("uva_bench", "--stackless", *arguments)


def asyncio(loop, *arguments):
    script = os.path.join(HERE, "peers", "peer_asyncio.py")
    return [sys.executable, script, loop, *map(str, arguments)]


def go(*arguments):
    return [os.path.join(options.out, "peer_go"), *map(str, arguments)]


def has_uvloop():
    return subprocess.run([sys.executable, "-c", "import uvloop"],
                          stderr=NULL).returncode == 0


def command(arguments, sizes, floors=("tasks", "stacks")):
    """The forms of a command, by peer; sizes of floors and uva, of Python and of
    Go, such that each takes about a second at most, stand for @."""
    def sized(size):
        return [size if x == "@" else x for x in arguments]
    mine = sized(sizes[0])
    programs = {UVA: uva(*mine), AGAIN: uva(*mine), STACKLESS: stackless(*mine),
                "asyncio": asyncio("asyncio", *sized(sizes[1]))}
    if "tasks" in floors:
        programs[FLOOR] = own("floor_tasks", *mine)
    if "stacks" in floors and platform.machine() == "x86_64":
        programs[STACKS] = own("floor_stacks", *mine)
    if "uv" in floors:
        programs[LIBUV] = own("floor_timers_uv", *mine[1:])
    if HAS_UVLOOP:
        programs["uvloop"] = asyncio("uvloop", *sized(sizes[1]))
    if HAS_GO:
        programs["Go"] = go(*sized(sizes[2]))
    return programs


FLOOR, STACKS = "floor, stackless", "floor, stackful"
LIBUV, EPOLL = "floor, libuv", "floor, epoll"
HAS_UVLOOP = has_uvloop()
HAS_GO = shutil.which(go()[0]) is not None

COMMANDS = [
    command(("ctx", 2, "@"), (5e6, 1e5, 1e6)),
    command(("ctx", 1000, "@"), (5e6, 1e5, 1e6)),
    command(("spawn_seq", "@"), (5e5, 2e4, 3e5)),
    command(("spawn_batch", "@", 100000), (5e5, 1e5, 3e5)),
    command(("gather", "@"), (1e5, 3e4, 1e5)),
    command(("chan", "@", 1), (1e6, 2e4, 5e5)),
    command(("chan", "@", 128), (5e6, 1e5, 1e6)),
    command(("live", "@"), (1e5, 1e5, 1e5)),
    command(("timers", "@"), (1e5, 1e5, 1e5), ("tasks", "uv")),
    {UVA: uva("naps", 500), AGAIN: uva("naps", 500)},
]
if platform.machine() == "x86_64":
    COMMANDS.insert(0, {STACKS: own("floor_stacks", "ctx", 1, 5e7),
                        UVA: uva("ctx", 1, 5e7), AGAIN: uva("ctx", 1, 5e7)})

# title, bench, field, the floor of uva, the floor of uva stackless
ROWS = [
    ("switch, CPU ns", "ctx1", "cpu_ns", STACKS, None),
    ("yield, 2 tasks, CPU ns", "ctx2", "cpu_ns", STACKS, FLOOR),
    ("yield, 1000 tasks, CPU ns", "ctx1000", "cpu_ns", STACKS, FLOOR),
    ("spawn and join, CPU ns", "spawn_seq", "cpu_ns", STACKS, FLOOR),
    ("the same, batches of 10^5", "spawn_batch", "cpu_ns", STACKS, FLOOR),
    ("gather of 10^5, CPU ns a task", "gather", "cpu_ns", STACKS, FLOOR),
    ("the same again, warm", "gather_warm", "cpu_ns", STACKS, FLOOR),
    ("queue item, capacity 1, CPU ns", "chan1", "cpu_ns", STACKS, FLOOR),
    ("queue item, capacity 128, CPU ns", "chan128", "cpu_ns", STACKS, FLOOR),
    ("bytes a blocked task, of 10^5", "live", "rss_per", STACKS, FLOOR),
    ("10^5 sleeps over 1 s, CPU s", "timers", "cpu_s", LIBUV, LIBUV),
    ("median lateness of these, us", "timers", "late_p50_us", None, None),
    ("earliest of these, us", "timers", "late_min_us", None, None),
    ("sleep of 100 us, median lateness, us", "naps", "late_p50_us", None, None),
    ("echo 1 KiB x 100, server CPU ns", "echo1024", "cpu_ns", EPOLL, EPOLL),
    ("echo 100 KiB x 100, server CPU ns", "echo102400", "cpu_ns", EPOLL, EPOLL),
    ("crawl of 1000 pages of 100 ms, s", "crawl", "wall_s", EPOLL, EPOLL),
    ("the same, CPU s", "crawl", "cpu_s", EPOLL, EPOLL),
    ("bytes an idle connection, of 10,000", "idle", "rss_per", None, None),
]
PEERS = [FLOOR, STACKS, LIBUV, EPOLL, UVA, AGAIN, STACKLESS, PROTOCOL, "asyncio",
         "uvloop", "Go"]

results = []  # Of (repetition, bench, peer, fields).


def note(repetition, peer, text, bench=None):
    for line in text.splitlines():
        if line.startswith("{"):
            fields = json.loads(line)
            results.append((repetition, bench or fields["bench"], peer, fields))


def run(repetition, peer, argv, bench=None, timeout=60):
    environment = dict(os.environ, GOMAXPROCS="1")
    try:
        done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        print("bench: took too long:", *argv, file=sys.stderr)
        return
    if done.returncode != 0:
        print("bench: failed:", *argv, done.stderr[-200:], file=sys.stderr)
        return
    note(repetition, peer, done.stdout, bench)


def shuffled(programs):
    items = list(programs.items())
    random.shuffle(items)
    return items


class Server:
    """A program that prints where it listens; ended with the block."""

    def __init__(self, argv):
        self.process = subprocess.Popen(
            argv, env=dict(os.environ, GOMAXPROCS="1"), stdout=subprocess.PIPE,
            stderr=NULL, text=True)
        line = self.process.stdout.readline()
        if ":" not in line:
            self.stop()
            sys.exit("bench: does not listen: " + " ".join(argv))
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()


ECHO = {EPOLL: own("floor_echo_epoll"), LIBUV: own("floor_echo_uv"),
        UVA: uva("echo", "stream"), AGAIN: uva("echo", "stream"),
        STACKLESS: stackless("echo", "stream"), PROTOCOL: uva("echo", "protocol"),
        "asyncio": asyncio("asyncio", "echo")}
if HAS_UVLOOP:
    ECHO["uvloop"] = asyncio("uvloop", "echo")
if HAS_GO:
    ECHO["Go"] = go("echo")


def load(server, *arguments):
    return own("load_echo", server.port, "-c", 100, "-p", server.process.pid,
               *arguments)


def serve(programs, rounds, prefix=""):
    """Each server under load once in a round, of small messages and of large."""
    servers = {}
    try:
        for peer, argv in programs.items():
            servers[peer] = Server(argv)
        for number in rounds:
            for size in (1024, 102400):
                for peer, server in shuffled(servers):
                    run(number, peer,
                        load(server, "-s", size, "-t", 0.4, "-w", 0.1),
                        prefix and prefix + str(size))
    finally:
        for server in servers.values():
            server.stop()


def crawl(repetition, port):
    programs = {EPOLL: own("floor_crawl_epoll", port, 1000),
                UVA: uva("crawl", port, 1000), AGAIN: uva("crawl", port, 1000),
                STACKLESS: stackless("crawl", port, 1000),
                "asyncio": asyncio("asyncio", "crawl", port, 1000)}
    if HAS_UVLOOP:
        programs["uvloop"] = asyncio("uvloop", "crawl", port, 1000)
    if HAS_GO:
        programs["Go"] = go("crawl", port, 1000)
    for peer, argv in shuffled(programs):
        run(repetition, peer, argv)


def repetitions(end):
    pages = Server(own("load_pages", 100))
    repetition = 0
    try:
        while repetition < 3 or time.monotonic() < end:
            for programs in COMMANDS:
                for peer, argv in shuffled(programs):
                    run(repetition, peer, argv)
            serve(ECHO, [repetition])
            crawl(repetition, pages.port)
            repetition += 1
            print("bench: repetition %d done" % repetition, flush=True)
    finally:
        pages.stop()


def idle():
    """10,000 connections that wait for the next byte."""
    for peer in (UVA, STACKLESS):
        server = Server(ECHO[peer])
        try:
            run(0, peer, load(server, "-s", 1024, "-t", 0.2, "-i", 10000), "idle")
        finally:
            server.stop()


def scale():
    """How cost grows with the number of tasks alive; once each."""
    for exponent in range(3, 8):
        count = 10 ** exponent
        programs = {STACKLESS: stackless("live", count),
                    FLOOR: own("floor_tasks", "live", count)}
        if exponent <= 6:
            programs[UVA] = uva("live", count)
        if exponent <= 5:
            programs["asyncio"] = asyncio("asyncio", "live", count)
        if HAS_GO and exponent <= 6:
            programs["Go"] = go("live", count)
        for peer, argv in shuffled(programs):
            run(0, peer, argv, "scale")
    sleeps = {STACKLESS: stackless("timers", 1e6), UVA: uva("timers", 1e6),
              LIBUV: own("floor_timers_uv", 1e6)}
    for repetition in range(3):
        for peer, argv in shuffled(sleeps):
            run(repetition, peer, argv, "sleeps")


def builds(programs):
    """uva's programs among these, and the same of the other build."""
    found = {}
    for peer in (UVA, STACKLESS):
        if peer in programs:
            path, *arguments = programs[peer]
            other = os.path.join(options.against, os.path.basename(path))
            found[peer] = [path, *arguments]
            found[peer + OTHER] = [other, *arguments]
    return found


def compare():
    # How the memory of a server happens to lie decides some percent of its
    # cost for as long as it runs, so each pair starts its own servers.
    for repetition in range(options.pairs):
        for programs in COMMANDS:
            for peer, argv in shuffled(builds(programs)):
                run(repetition, peer, argv)
        serve(builds(ECHO), [repetition])
        print("bench: pair %d done" % repetition, file=sys.stderr, flush=True)


# --- the report ---------------------------------------------------------------

def values(bench, field, peer):
    return {r: fields[field] for r, b, p, fields in results
            if (b, p) == (bench, peer) and field in fields}


def number(x):
    if abs(x) >= 1000:
        return "%.0f" % x
    return "%.3g" % x


def cell(bench, field, peer):
    found = sorted(values(bench, field, peer).values())
    if not found:
        return ""
    return "%s (%s to %s)" % (number(statistics.median(found)), number(found[0]),
                              number(found[-1]))


def paired_ratios(bench, field, peer, base):
    upper, lower = values(bench, field, peer), values(bench, field, base)
    return [upper[r] / lower[r] for r in upper if lower.get(r, 0) > 0]


def ratio(bench, field, peer, base):
    found = paired_ratios(bench, field, peer, base)
    return statistics.median(found) if found else None


def ratio_cell(bench, field, peer, base):
    found = base and ratio(bench, field, peer, base)
    return "%.2f" % found if found else ""


def table(head, lines):
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(x) + " |" for x in [head, rule, *lines])


def report(repetition_count):
    present = [p for p in PEERS if any(x[2] == p for x in results)]
    figures, ratios = [], []
    for title, bench, field, stackful_floor, stackless_floor in ROWS:
        figures.append([title] + [cell(bench, field, p) for p in present])
        if stackful_floor:
            ratios.append([title, ratio_cell(bench, field, AGAIN, UVA),
                           ratio_cell(bench, field, UVA, stackful_floor),
                           ratio_cell(bench, field, STACKLESS, stackless_floor)])
    paired = [["%s over %s" % (title, floor[7:]), ratio_cell(bench, "cpu_ns", AGAIN, UVA),
               ratio_cell(bench, "cpu_ns", UVA, floor),
               ratio_cell(bench, "cpu_ns", STACKLESS, floor),
               ratio_cell(bench, "cpu_ns", PROTOCOL, floor)]
              for title, bench in (("echo 1 KiB", "pairs1024"),
                                   ("echo 100 KiB", "pairs102400"))
              for floor in (LIBUV, EPOLL)]
    scales = [[p, "%d" % f["n"], number(f["rss_per"]), number(f["cpu_ns"]),
               "%d" % f["mappings"] if "mappings" in f else ""]
              for _, b, p, f in sorted(results, key=lambda x: (x[2], x[3]["n"]))
              if b == "scale"]
    sleeps = [[p] + [cell("sleeps", x, p) for x in
                     ("cpu_s", "wall_s", "late_min_us", "late_p50_us")] +
              [ratio_cell("sleeps", "cpu_s", p, LIBUV)]
              for p in (STACKLESS, UVA, LIBUV)]
    return "\n\n".join([
        "# uva, its floors and its peers",
        "%s, %d CPUs, %s; %d repetitions. Median (least to most); "
        "CPU is that of the process, or of the server. uva and uva again are the A/A "
        "pair." % (
            platform.platform(), os.cpu_count(), options.load, repetition_count),
        table([""] + present, figures),
        "## Ratios, paired in each repetition",
        table(["", "A/A", "uva over its floor", "stackless over its floor"], ratios),
        "### Echo servers: server CPU, median of %d pairs" % len(
            values("pairs1024", "cpu_ns", UVA)),
        table(["", "A/A", "uva", "uva stackless", "uva protocol"], paired),
        "![ratios](ratios.svg)",
        "## Growth: blocked tasks",
        table(["", "tasks", "bytes each", "CPU ns each", "mappings"], scales),
        "![CPU](growth_cpu.svg)\n![memory](growth_rss.svg)",
        "## A million sleeps over a second",
        table(["", "CPU s", "wall s", "earliest, us", "median lateness, us",
               "CPU over libuv"], sleeps),
    ]) + "\n"


def comparison():
    """A row for each figure of both builds; the spread is that of the ratios."""
    lines = []
    for title, bench, field, _, _ in ROWS:
        for peer in (UVA, STACKLESS):
            found = paired_ratios(bench, field, peer + OTHER, peer)
            if len(found) < 2 or field not in ("cpu_ns", "cpu_s", "rss_per"):
                continue
            low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
            medians = [number(statistics.median(values(bench, field, p).values()))
                       for p in (peer, peer + OTHER)]
            kind = ", stackless" if peer == STACKLESS else ""
            lines.append([title + kind, *medians, "%.3f" % middle,
                          "%.3f to %.3f" % (low, high)])
    return table(["medians of %d pairs" % options.pairs, "A", "B", "B over A",
                  "its middle half"], lines)


def plots():
    for field, unit in (("cpu_ns", "CPU ns a task"), ("rss_per", "bytes a task")):
        lines = {}
        for _, bench, peer, fields in results:
            if bench == "scale" and fields[field] > 0:
                lines.setdefault(peer, []).append((fields["n"], fields[field]))
        plot.lines(os.path.join(options.out, "growth_%s.svg" % field[:3]),
                   "blocked tasks: " + unit, lines)
    bars = [(title + " " + kind, found)
            for title, bench, field, stackful, stackless_floor in ROWS
            for kind, peer, base in (("", UVA, stackful),
                                     ("stackless", STACKLESS, stackless_floor))
            for found in [base and ratio(bench, field, peer, base)] if found]
    plot.bars(os.path.join(options.out, "ratios.svg"), "over the floor, paired", bars)


def measure(record):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    repetitions(time.monotonic() + options.seconds)
    paired = (LIBUV, EPOLL, UVA, AGAIN, STACKLESS, PROTOCOL)
    serve({peer: ECHO[peer] for peer in paired}, range(options.pairs), "pairs")
    idle()
    scale()
    with open(record, "w") as file:
        for repetition, bench, peer, fields in results:
            fields.update(bench=bench, peer=peer, rep=repetition)
            file.write(json.dumps(fields) + "\n")


def main():
    if options.against:
        compare()
        print(comparison())
        return
    os.makedirs(options.out, exist_ok=True)
    record = os.path.join(options.out, "results.jsonl")
    if not options.report:
        measure(record)
        options.load = "load %.1f at the end" % os.getloadavg()[0]
    else:
        with open(record) as file:
            results.extend((x["rep"], x["bench"], x["peer"], x)
                           for x in map(json.loads, file))
        options.load = "as recorded"
    plots()
    path = os.path.join(options.out, "report.md")
    with open(path, "w") as file:
        file.write(report(1 + max(x[0] for x in results if x[1] == "ctx2")))
    print("bench: the report is " + path)


main()
