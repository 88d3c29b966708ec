"""Fail when a public name has no doc comment, or the docs lead nowhere.

check_docs.py ROOT looks at include/: each public function, type and callback
has a comment of its own directly above it, each macro too, or it is named in
the comment of another; a function that may suspend says when, or stands for
one that does. In the pages: each uva_ or UVA_ name stands somewhere in the
sources, each link and path leads to a file, each `module.test` is a test, and
in docs/ and README.md no line but a row of a table exceeds 120 columns;
docs/threads.md names what the headers mark @thread any, docs/asyncio-parity.md
what the asyncio of this Python has, if it is none of later than 3.14.
check_docs.py --self-test plants what must be seen.
"""
import asyncio
import pathlib
import re
import sys
import tempfile

# A declaration begins a line; its comment ends on the line before.
FUNCTION = re.compile(
    r"^(?:UVA_EXTERN|static inline)\b([^;{=]*?)\b(uva_(?!_)\w+)\s*\(", re.M)
CALLBACK = re.compile(r"^typedef\b[^;{]*?\(\*(uva_(?!_)\w+)\)\s*\(", re.M)
TYPE = re.compile(r"^typedef (?:struct|enum|union) (uva_(?!_)\w+?)_[seu] \{", re.M)
MACRO = re.compile(r"^#\s*define ((?:UVA|uva)_(?!_)\w+)", re.M)
COMMENT = re.compile(r"/\*\*.*?\*/", re.S)
# What says when it suspends: itself, or by the function it stands for.
SUSPENDS = re.compile(r"@suspends|\bsame\b|\buva_\w+|\bas \w+ does\b", re.I)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def comment_above(text, position):
    """The doc comment that ends on the line before position; else ''."""
    before = text[:position]
    if not before.endswith("*/\n"):
        return ""
    start = before.rindex("/*")
    return before[start:] if before.startswith("/**", start) else ""


def declarations(text):
    """(position, name, what it is, whether it may suspend)"""
    for m in FUNCTION.finditer(text):
        yield m.start(), m.group(2), "function", "UVA_CORO" in m.group(1)
    for m in CALLBACK.finditer(text):
        yield m.start(), m.group(1), "callback", False
    for m in TYPE.finditer(text):
        yield m.start(), m.group(1), "type", False
    for m in MACRO.finditer(text):
        yield m.start(), m.group(1), "macro", False


def documented(text, position, name, what):
    if comment_above(text, position):
        return True
    if what != "macro":
        return False
    if "/**<" in text[position:text.index("\n", position)]:
        return True
    return any(re.search(rf"\b{name}\b", comment) for comment in COMMENT.findall(text))


def check_text(text):
    for position, name, what, suspends in sorted(declarations(text)):
        if name.endswith("_H"):
            continue  # The guard of a header.
        line = line_of(text, position)
        if not documented(text, position, name, what):
            yield f"{line}: {what} {name} has no doc comment"
        elif suspends and not SUSPENDS.search(comment_above(text, position)):
            yield f"{line}: {name} does not say when it suspends"


NAME = re.compile(r"\b(?:uva_[a-z0-9]\w*|UVA_[A-Z]\w*)\b")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
PATH = re.compile(
    r"`((?:src|include|tests|docs|cmake|examples|bench|tools|vendor)/[\w./-]*\w)/?`")
TEST = re.compile(r"`(\w+)\.(\w+)`")
MAX_COLUMNS = 120


def pages(root):
    return sorted([*root.glob("*.md"), *(root / "docs").glob("*.md"),
                   *(root / "bench").glob("*.md")])


def words_of_sources(root):
    words = set()
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if re.match(r"(build|\.git)(/|$)", name) or name.endswith(".md") or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # An input of a fuzzer, or a picture.
        words.update(NAME.findall(text))
        # The table of the codes gives them their names.
        words.update(f"UVA_E{code}" for code in re.findall(r"\bXX\((\w+), -\d+,", text))
    return words


def check_page(root, page, words):
    text = page.read_text()
    for m in NAME.finditer(text):
        # What ends with an underscore, or goes on with a dot, stands for many.
        if m.group() not in words and not m.group().endswith("_"):
            yield line_of(text, m.start()), f"no such name: {m.group()}"
    for m in LINK.finditer(text):
        if not (page.parent / m.group(1)).exists():
            yield line_of(text, m.start()), f"the link leads nowhere: {m.group(1)}"
    for m in PATH.finditer(text):
        if not (root / m.group(1)).exists():
            yield line_of(text, m.start()), f"no such file: {m.group(1)}"
    for m in TEST.finditer(text):
        sources = list((root / "tests").glob(f"*/test_{m.group(1)}.c"))
        if sources and not re.search(rf"\b{m.group(2)}\b", sources[0].read_text()):
            yield line_of(text, m.start()), f"no such test: {m.group()}"


def check_columns(page):
    if page.parent.name != "docs" and page.name != "README.md":
        return
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if len(line) > MAX_COLUMNS and not line.startswith("|"):
            yield number, f"a line of {len(line)} columns"


def check_threads(root):
    page = root / "docs" / "threads.md"
    if not page.exists():
        return
    told = set(NAME.findall(page.read_text()))
    for header in sorted((root / "include").rglob("*.h")):
        text = header.read_text()
        for m in FUNCTION.finditer(text):
            if "@thread any" in " ".join(comment_above(text, m.start()).split()):
                if m.group(2) not in told:
                    yield f"docs/threads.md: does not name {m.group(2)}"


def names_of_asyncio():
    """The public names, and the public attributes of the classes among them."""
    names = set(asyncio.__all__)
    for name in asyncio.__all__:
        value = getattr(asyncio, name)
        if isinstance(value, type) and not issubclass(value, BaseException):
            names.update(dir(value))
    return sorted(name for name in names
                  if name in asyncio.__all__ or not name.startswith("_"))


def check_parity(root):
    page = root / "docs" / "asyncio-parity.md"
    if page.exists() and sys.version_info < (3, 15):
        told = set(re.findall(r"\w+", page.read_text()))
        for name in names_of_asyncio():
            if name not in told:
                yield f"docs/asyncio-parity.md: does not list {name}"


def check_tree(root):
    words = words_of_sources(root)
    found = [f"{path.relative_to(root)}:{problem}"
             for path in sorted((root / "include").rglob("*.h"))
             for problem in check_text(path.read_text())]
    found += [f"{page.relative_to(root)}:{line}: {problem}"
              for page in pages(root)
              for line, problem in sorted([*check_page(root, page, words),
                                           *check_columns(page)])]
    return found + list(check_threads(root)) + list(check_parity(root))


# Text, and what must be said of it; None for nothing at all.
PLANTED = (
    ("UVA_EXTERN int uva_x(void);\n", "function uva_x"),
    ("/** Do. */\nUVA_EXTERN int uva_x(void);\n", None),
    ("/* Do. */\nUVA_EXTERN int uva_x(void);\n", "function uva_x"),
    ("/** Do. */\n\nUVA_EXTERN int uva_x(void);\n", "function uva_x"),
    ("/** Do. */\nUVA_EXTERN int uva_x(void);\nUVA_EXTERN int\nuva_y(void);\n", "function uva_y"),
    ("UVA_EXTERN int uva__x(void);\n", None),
    ("/** Do. */\nUVA_EXTERN UVA_CORO int uva_x(void);\n", "uva_x does not say"),
    ("/** Do. @suspends Always. */\nUVA_EXTERN UVA_CORO int uva_x(void);\n", None),
    ("typedef void (*uva_x_cb)(void *data);\n", "callback uva_x_cb"),
    ("typedef struct uva_x_s {\n", "type uva_x"),
    ("#define UVA_X 1\n", "macro UVA_X"),
    ("#define UVA_X 1 /**< One. */\n", None),
    ("/** UVA_X is one. */\n\n#define UVA_X 1\n", None),
    ("#define uva_x(a) \\\n    a\n", "macro uva_x"),
)


# Beside include/x.h, which declares uva_x, and tests/x/test_x.c, which has y.
PLANTED_PAGES = (
    ("docs/a.md", "`uva_x`, and `uva_x_...`\n", None),
    ("docs/a.md", "`uva_z`\n", "no such name: uva_z"),
    ("README.md", "[a](docs/b.md)\n", "leads nowhere"),
    ("README.md", "[a](include/x.h#there), [b](https://example.org/)\n", None),
    ("docs/a.md", "`src/none.c`\n", "no such file"),
    ("docs/a.md", "`include/x.h`, `include/`\n", None),
    ("docs/a.md", "`x.y`, `asyncio.y`\n", None),
    ("docs/a.md", "`x.z`\n", "no such test"),
    ("docs/a.md", "x" * 121 + "\n", "a line of 121 columns"),
    ("README.md", "x" * 121 + "\n", "a line of 121 columns"),
    ("docs/a.md", "é" * 120 + "\n| " + "x" * 121 + " |\n", None),
    ("docs/threads.md", "none\n", "does not name uva_x"),
    ("docs/threads.md", "`uva_x`\n", None),
    ("docs/asyncio-parity.md", "`gather`\n",
     "does not list run_forever" if sys.version_info < (3, 15) else None),
    ("docs/asyncio-parity.md", "\n".join(names_of_asyncio()), None),
)


def plant(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check_tree(pathlib.Path(folder))


def self_test():
    failed = []
    beside = (("include/x.h", "/** Do. @thread any */\nUVA_EXTERN int uva_x(void);\n"),
              ("tests/x/test_x.c", "START_TEST(y)\n"))
    planted = [((("include/x.h", text),), text, expected) for text, expected in PLANTED]
    planted += [((*beside, (name, text)), text, expected)
                for name, text, expected in PLANTED_PAGES]
    for files, text, expected in planted:
        problems = plant(files)
        if expected is None and problems:
            failed.append(f"said without cause: {problems}\n{text}")
        if expected is not None and not any(expected in problem for problem in problems):
            failed.append(f"not seen: {expected}; said: {problems}\n{text}")
    print("\n".join(failed) or f"{len(planted)} planted files, all judged rightly")
    return bool(failed)


if sys.argv[1] == "--self-test":
    sys.exit(self_test())
found = check_tree(pathlib.Path(sys.argv[1]))
print("\n".join(found) or "every public name has its comment, every page leads somewhere")
sys.exit(bool(found))
