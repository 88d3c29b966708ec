"""Fail when a file reaches a floor that layers.txt does not allow.

check_layers.py ROOT follows the includes of every source and header, also
through other headers: what a file sees counts, however it comes in.
check_layers.py --self-test plants files that do and files that do not.
"""
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
INCLUDE = re.compile(r'#\s*include\s+"([\w/.]+)"')


def rules_of(text):
    """Of each floor: what it may see; of each public header: its floor."""
    may, owner = {}, {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            floor, rest = line.split(":", 1)
            allowed, headers = rest.split("|")
            may[floor.strip()] = set(allowed.split())
            owner.update({f"uva/{header}.h": floor.strip() for header in headers.split()})
    return may, owner


class House:
    def __init__(self, root, rules):
        self.root = root
        self.may, self.owner = rules_of(rules)
        self.includes = {}
        sources = sorted((root / "src").rglob("*.[chS]"))
        headers = sorted((root / "include" / "uva").glob("*.h"))
        for path in sources + headers:
            self.includes[self.name_of(path)] = self.included_by(path)

    def name_of(self, path):
        """As an include names it: core/loop.h, uva/tasks.h."""
        base = "src" if path.is_relative_to(self.root / "src") else "include"
        return str(path.relative_to(self.root / base))

    def included_by(self, path):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match and (path.parent / match[1]).is_file():
                yield number, self.name_of(path.parent / match[1])
            elif match:
                yield number, match[1]

    def floor_of(self, name):
        return self.owner.get(name) if name.startswith("uva/") else name.split("/")[0]

    def allowed(self, floor, name, direct):
        """Whether a floor may see a header, directly or only through others."""
        target = self.floor_of(name)
        words = {target, name}
        if name.startswith("uva/"):
            words.add(f"{target}!")
        if not direct:
            words |= {f"~{word}" for word in words}
        return target == floor or not words.isdisjoint(self.may[floor])

    def walk(self, name):
        """(line, header, through which) of all that a file sees, nearest first."""
        seen, queue = {name}, [(line, header, []) for line, header in self.includes[name]]
        while queue:
            line, header, through = queue.pop(0)
            if header in seen:
                continue
            seen.add(header)
            yield line, header, through
            queue += [(line, further, through + [header])
                      for _, further in self.includes.get(header, ())]

    def problems(self):
        self.includes = {name: list(lines) for name, lines in self.includes.items()}
        for name in self.includes:
            floor = self.floor_of(name)
            if floor not in self.may:
                yield f"{name}: layers.txt gives it no floor"
                continue
            for line, header, through in self.walk(name):
                if not self.allowed(floor, header, not through):
                    way = "".join(f" through {step}" for step in through)
                    yield f"{name}:{line}: {floor} may not see {header}{way}"


def self_test():
    rules = ("base :  | types\ncore : base | events\n"
             "sync : base core! core/door.h ~core/inner.h | locks\n")
    files = {
        "include/uva/types.h": "",
        "include/uva/events.h": '#include "uva/types.h"',
        "include/uva/locks.h": '#include "uva/events.h"',
        "include/uva/lost.h": "",
        "src/base/list.h": "",
        "src/base/up.h": '#include "core/inner.h"',
        "src/core/inner.h": '#include "base/list.h"',
        "src/core/other.h": "",
        "src/core/door.h": '#include "core/inner.h"\n#include "core/other.h"',
        "src/sync/good.c": '#include "uva/events.h"\n#include "base/list.h"',
        "src/sync/bad.c": '\n#include "core/inner.h"',
        "src/sync/far.c": '#include "core/door.h"',
    }
    expected = {
        "base/up.h:1: base may not see core/inner.h",
        "sync/bad.c:2: sync may not see core/inner.h",
        "sync/far.c:1: sync may not see core/other.h through core/door.h",
        "uva/lost.h: layers.txt gives it no floor",
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = set(House(root, rules).problems())
    if found != expected:
        print("expected", sorted(expected), "found", sorted(found))
        return True
    print(f"{len(files)} planted files, all judged rightly")
    return False


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    house = House(pathlib.Path(sys.argv[1]), (HERE / "layers.txt").read_text())
    bad = list(house.problems())
    print("\n".join(bad) or f"layers hold in {len(house.includes)} files")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
