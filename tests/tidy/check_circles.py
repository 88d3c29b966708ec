"""Fail when modules call each other in a circle, or a floor calls upwards.

check_circles.py ROOT reads src/: a module is x.c with its x.h, named by its
path. Calls of functions that begin with uva and are defined in one module
make arrows; circles.txt lists the circles that are allowed, and layers.txt the
floors that each floor may see. An allowed circle that has become smaller
fails too: the list only shrinks. check_circles.py --self-test plants a circle,
a smaller one and a call upwards, and fails if one goes unseen.
"""
import collections
import pathlib
import re
import sys
import tempfile

from csource import blank, definitions

HERE = pathlib.Path(__file__).parent


def arrows(source):
    """Of each module: those that define what it calls."""
    texts = collections.defaultdict(str)
    for path in sorted(source.rglob("*.[ch]")):
        texts[str(path.relative_to(source).with_suffix(""))] += path.read_text() + "\n"
    owners = collections.defaultdict(set)
    for module, text in texts.items():
        for name in definitions(text):
            owners[name].add(module)
    home = {name: modules.pop() for name, modules in owners.items()
            if name.startswith("uva") and len(modules) == 1}
    found = {}
    for module, text in texts.items():
        called = {home[name] for name in re.findall(r"\b(uva\w+)\b", blank(text))
                  if name in home}
        found[module] = called - {module}
    return found


def circles(edges):
    """The strongly connected parts of more than one module (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        for called in sorted(edges[module]):
            if called not in index:
                visit(called)
                low[module] = min(low[module], low[called])
            elif called in stack:
                low[module] = min(low[module], index[called])
        if low[module] == index[module]:
            place = stack.index(module)
            part = stack[place:]
            del stack[place:]
            if len(part) > 1:
                found.append(set(part))

    for module in sorted(edges):
        if module not in index:
            visit(module)
    return found


def lines_of(path):
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def floors_below(path):
    """Of each floor: itself and all that it may see, directly or not."""
    sees = {}
    for line in lines_of(path):
        floor, rest = line.split(":", 1)
        words = rest.split("|")[0].split()
        sees[floor.strip()] = {word.rstrip("!") for word in words if "/" not in word}
    for _ in sees:
        for floor, below in sees.items():
            below |= {floor}.union(*(sees.get(lower, set()) for lower in below))
    return sees


def problems(edges, allowed, below):
    found = circles(edges)
    for part in found:
        if not any(part <= names for names in allowed):
            yield "a circle: " + " ".join(sorted(part))
    for names in allowed:
        gone = names - set().union(*(part for part in found if part <= names))
        if gone:
            yield "out of its circle, so out of circles.txt: " + " ".join(sorted(gone))
    for module, called in sorted(edges.items()):
        floor = module.split("/")[0]
        for other in sorted(called):
            if other.split("/")[0] not in below.get(floor, {floor}):
                yield f"upwards: {module} calls {other}"


def check(root, allowed):
    edges = arrows(root / "src")
    found = list(problems(edges, allowed, floors_below(HERE / "layers.txt")))
    largest = max(map(len, circles(edges)), default=0)
    print("\n".join(found) or
          f"{len(edges)} modules, the largest allowed circle has {largest}")
    return bool(found)


def self_test():
    define = "int uva__{0}(void)\n{{\n    return {1};\n}}\n"
    files = {
        "core/a.c": define.format("a", "uva__b()"),
        "core/b.h": "/* uva__c() in a comment is no call. */\n" + define.format("b", 1),
        "core/c.c": define.format("c", "uva__d()"),
        "core/d.c": define.format("d", "uva__c() + uva__e()"),
        "io/e.c": define.format("e", 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        edges = arrows(pathlib.Path(folder))
    below = floors_below(HERE / "layers.txt")
    expected = {
        (): ["a circle: core/c core/d", "upwards: core/d calls io/e"],
        ("core/a", "core/c", "core/d"): [
            "out of its circle, so out of circles.txt: core/a",
            "upwards: core/d calls io/e"],
    }
    for names, lines in expected.items():
        found = list(problems(edges, [set(names)] if names else [], below))
        if found != lines:
            print("expected", lines, "found", found)
            return True
    print("a circle, a smaller one and a call upwards are seen")
    return False


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    allowed = [set(line.split(":")[0].split()) for line in lines_of(HERE / "circles.txt")]
    return check(pathlib.Path(sys.argv[1]), allowed)


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    sys.exit(main())
