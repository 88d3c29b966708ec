"""Drop each statement and turn each condition of a file; tell what survives.

operators.py FILE [SUITE...] [-k TEXT] [-j JOBS] works on a copy of the tree, as
mutate.py does: one change at a time is built with warnings as errors and run
against the suites (names of test programs without "test_", and "conform"; all
of them without a name). What does not compile is counted and says nothing; what
survives is printed. A survivor is a line that no test of these suites needs, or
a change that nobody can see: a hand has to judge.
operators.py FILE --list prints the changes alone; --self-test checks a planted
text.
"""
import argparse
import pathlib
import re
import sys
import tempfile

from mutate import Copy, DoesNotCompile, ROOT

sys.path.insert(0, str(ROOT / "tests" / "tidy"))
from csource import blank, functions  # noqa: E402 (the path comes first)

# A statement without blocks, up to its semicolon; a label before it stays.
STATEMENT = re.compile(
    r"(?<=[;{}])\s*(?:(?:\w+|case [^:;{}]+)\s*:\s*)?([^;{}#\s][^;{}#]*;)")
NO_STATEMENT = re.compile(
    r"(?:if|for|while|switch|do|else|struct|typedef|UVA__ASSERT\w*)\b")
# Words in a row, or words and stars, before a name.
DECLARATION = re.compile(r"(?!return\b|goto\b)(?:\w+\s+)+\**\s*\w+\s*[=;,\[(]")
CONDITION = re.compile(r"\b(?:if|while)\s*\(")


class Change:
    """What stands between two positions is replaced."""

    def __init__(self, text, what, start, end, replacement):
        self.line = text.count("\n", 0, start) + 1
        self.said = f"{what}: {' '.join(text[start:end].split())}"
        self.mutant = text[:start] + replacement + text[end:]


def closing(code, start):
    """The position behind the bracket that closes the one before start."""
    depth = 1
    while depth > 0:
        depth += {"(": 1, ")": -1}.get(code[start], 0)
        start += 1
    return start


def inside(text):
    """Whether a position is in a function's body."""
    spans = [(first, first + count) for first, count in functions(text)]

    def is_inside(position):
        line = text.count("\n", 0, position) + 1
        return any(first <= line < end for first, end in spans)
    return is_inside


def changes(text):
    code = blank(text)
    is_inside = inside(text)
    found = []
    for m in STATEMENT.finditer(code):
        start, statement = m.start(1), m.group(1)
        # What stands between the brackets of a for is none.
        bare = all(part.count("(") == part.count(")")
                   for part in (statement, code[:start]))
        if (bare and is_inside(start) and not NO_STATEMENT.match(statement)
                and not DECLARATION.match(statement)):
            found.append(Change(text, "dropped", start, m.end(1), "(void)0;"))
    for m in CONDITION.finditer(code):
        if is_inside(m.start()):
            end = closing(code, m.end())
            turned = f"(!{text[m.end() - 1:end]})"
            found.append(Change(text, "turned", m.end() - 1, end, turned))
    return sorted(found, key=lambda change: change.line)


def hunt(name, chosen, suites, jobs):
    survived, silent = 0, 0
    with tempfile.TemporaryDirectory(prefix="uva-mutate-") as folder:
        copy = Copy(pathlib.Path(folder), jobs)
        copy.configure()
        unknown = set(suites) - set(copy.suites)
        if unknown:
            raise SystemExit(f"no such suite: {', '.join(sorted(unknown))}")
        copy.suites = suites or copy.in_order(name)
        copy.prove()
        for change in chosen:
            try:
                by = copy.judge(name, change.mutant, copy.suites)
            except DoesNotCompile:
                silent += 1
                continue
            if by is None:
                survived += 1
                print(f"{name}:{change.line}: {change.said}", flush=True)
    print(f"{survived} of {len(chosen)} survive; {silent} do not compile")


PLANTED = """
static int x = 1;
int f(int a)
{
    int b = a; /* c(); */
    thing_t *d = NULL;

    g(b);
    if (a > 0 && h(a)) {
        return 1;
    }
    for (int i = 0; i < a; i++) {
        x += i;
    }
again:
    x--;
    UVA__ASSERT(x);
    return b;
}
"""
EXPECTED = [(8, "dropped: g(b);"), (9, "turned: (a > 0 && h(a))"),
            (10, "dropped: return 1;"), (13, "dropped: x += i;"),
            (16, "dropped: x--;"), (18, "dropped: return b;")]


def self_test():
    found = [(change.line, change.said) for change in changes(PLANTED)]
    print(found if found != EXPECTED else f"{len(found)} planted changes found")
    return found != EXPECTED


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="as src/sync/locks.c")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("-k", metavar="TEXT", default="",
                        help="only changes of what contains it")
    parser.add_argument("-j", metavar="JOBS", type=int, default=2,
                        help="jobs of a build (2)")
    parser.add_argument("--list", action="store_true", help="print the changes alone")
    options = parser.parse_args()
    path = ROOT / options.file
    if not path.is_file():
        parser.error(f"no such file: {options.file}")
    chosen = [c for c in changes(path.read_text()) if options.k in c.said]
    if options.list:
        print("\n".join(f"{options.file}:{c.line}: {c.said}" for c in chosen))
    else:
        hunt(options.file, chosen, options.suites, options.j)
    return 0


if __name__ == "__main__":
    sys.exit(main())
