"""Function lengths of C files: count, median, p90, longest; the comment share.

measure.py <folder or file>...; a folder that holds src/ stands for the
sources and headers of the library.
"""
import pathlib
import re
import sys

from csource import functions


def files(names):
    for name in map(pathlib.Path, names):
        if not name.is_dir():
            yield name
            continue
        inside = [name / "src", name / "include"] if (name / "src").is_dir() else [name]
        for folder in inside:
            yield from sorted(folder.rglob("*.[ch]"))


sizes, lines, comments = [], 0, 0
for path in files(sys.argv[1:]):
    text = path.read_text(errors="replace")
    sizes += [length for _, length in functions(text)]
    lines += text.count("\n")
    comments += sum(m.group().count("\n") + 1 for m in re.finditer(r"/\*.*?\*/", text, re.S))
sizes.sort()


def at(share):
    return sizes[int(share * (len(sizes) - 1))] if sizes else 0


print(f"lines {lines}  functions {len(sizes)}  median {at(.5)}  p90 {at(.9)}  longest {at(1)}  "
      f"over 70: {sum(s > 70 for s in sizes)}  comment lines {100 * comments // max(1, lines)}%")
