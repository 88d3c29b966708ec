"""Compare the tests of CPython 3.13 that can be ported with those that are.

cpython-tests.tsv lists the former: the semantics of asyncio's core, of
transports, protocols and servers. A listed test is ported when a test here, one that is added to a case,
names it in its comment as "test_x.py, Class.test_name", or when a row of a
table below the comment "test_x.py, Class: rows" begins with {"name". One that
is not has to stand, with its reason, in the table of docs/asyncio-parity.md; what comes with
a later part of the library is counted apart.

ported.py prints the counts and fails if one is neither; ported.py --list also
names where each is.
"""
import collections
import pathlib
import re
import sys

MAX_EXPLAINED = 25
SECTION = "## CPython tests that are not ported"

tests = pathlib.Path(__file__).parent
DEFINITION = re.compile(r"^[A-Z_]*TEST[A-Z_]*\((\w+)|^\} (\w+)\[\] = \{", re.M)
TABLE = re.compile(r"^\} \w+\[\] = \{.*?^\};", re.M | re.S)
ROWS = re.compile(r'/\* (test_\w+\.py), (\w+): rows \*/|^ +\{"(\w+)"', re.M)
CITATION = re.compile(r"(test_\w+\.py),\s+(\w+)\.\s*(test_\w+)")


def unwrap(text):
    """The text with comments of several lines put on one."""
    return re.sub(r"\n\s*\*(?!/) ", " ", text)


def spell_rows(table):
    """The text of a table in which each row cites the test of its name."""
    place = ""

    def spell(m):
        nonlocal place
        if m.group(1):
            place = f"{m.group(1)}, {m.group(2)}"
            return ""
        return f"/* {place}.test_{m.group(3)} */" if place else ""

    return ROWS.sub(spell, table.group())


def read_list():
    """{(file, class, test): what it comes with, or ''}."""
    lines = (tests / "cpython-tests.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:] if line]
    return {tuple(row[:3]): row[3] for row in rows}


def read_sources():
    """{(file, class, test): [where it is ported]}, and what is wrong."""
    found, wrong = collections.defaultdict(list), []
    for path in sorted(tests.glob("*/test_*.c")):
        text = TABLE.sub(spell_rows, unwrap(path.read_text()))
        definitions = [(m.start(), m[1] or m[2]) for m in DEFINITION.finditer(text)]
        for m in CITATION.finditer(text):
            before = [name for start, name in definitions if start < m.start()]
            if not before:
                wrong.append(f"{path.name}: {m.group()} stands in no test")
            elif not re.search(rf",\s*{before[-1]}\s*[,)]", text):
                wrong.append(f"{path.name}: {before[-1]} is added to no case")
            else:
                found[m.groups()].append(f"{path.stem.removeprefix('test_')}.{before[-1]}")
    return found, wrong


def read_explained():
    """{(file, class, test): reason}, and what is wrong."""
    page = tests.parent / "docs" / "asyncio-parity.md"
    section = page.read_text().partition(SECTION)[2].partition("\n## ")[0]
    explained, wrong = {}, []
    for row in re.findall(r"^\|(.*)\|$", section, re.M):
        cells = [cell.strip() for cell in row.split("|")]
        m = CITATION.search(cells[0])
        if m and len(cells) == 2 and cells[1]:
            explained[m.groups()] = cells[1]
        elif m or not re.fullmatch(r"test|-+", cells[0]):
            wrong.append(f"{page.name}: no test with its reason: {row.strip()}")
    return explained, wrong


def print_counts(listed, ported, explained):
    print(f"{'file':28} listed ported explained missing")
    for file in sorted({key[0] for key, later in listed.items() if not later}):
        keys = [key for key, later in listed.items() if key[0] == file and not later]
        done = sum(key in ported for key in keys)
        told = sum(key in explained and key not in ported for key in keys)
        print(f"{file:28} {len(keys):6} {done:6} {told:9} {len(keys) - done - told:7}")
    for part in sorted({later for later in listed.values() if later}):
        keys = [key for key, later in listed.items() if later == part]
        done = sum(key in ported for key in keys)
        print(f"{'comes with ' + part:28} {len(keys):6} {done:6}")


def main():
    listed = read_list()
    ported, wrong = read_sources()
    explained, more = read_explained()
    wrong += more
    name = "{0[0]}, {0[1]}.{0[2]}".format
    now = [key for key, later in listed.items() if not later]
    for key in now:
        if key not in ported and key not in explained:
            wrong.append(f"{name(key)}: neither ported nor explained")
    for key in explained:
        if key not in listed:
            wrong.append(f"{name(key)}: explained, but not listed")
        elif key in ported:
            wrong.append(f"{name(key)}: explained, but ported by {ported[key][0]}")
    if len(explained) > MAX_EXPLAINED:
        wrong.append(f"{len(explained)} tests are explained, more than {MAX_EXPLAINED}")
    if "--list" in sys.argv[1:]:
        for key in listed:
            places = ", ".join(ported[key]) or explained.get(key) or "-"
            print(f"{name(key)}: {places}")
    print_counts(listed, ported, explained)
    done = sum(key in ported for key in now)
    print("\n".join(wrong))
    print(f"{done} of {len(now)} ported, {len(explained)} explained")
    return bool(wrong)


sys.exit(main())
