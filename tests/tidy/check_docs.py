"""Fail when a public name has no doc comment.

check_docs.py ROOT looks at include/: each public function, type and callback
has a comment of its own directly above it, each macro too, or it is named in
the comment of another; a function that may suspend says when, or stands for
one that does. check_docs.py --self-test plants what must be seen.
"""
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


def check_tree(root):
    return [f"{path.relative_to(root)}:{problem}"
            for path in sorted((root / "include").rglob("*.h"))
            for problem in check_text(path.read_text())]


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


def self_test():
    failed = []
    for text, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "include" / "x.h"
            path.parent.mkdir()
            path.write_text(text)
            problems = check_tree(pathlib.Path(folder))
        if expected is None and problems:
            failed.append(f"said without cause: {problems}\n{text}")
        if expected is not None and not any(expected in problem for problem in problems):
            failed.append(f"not seen: {expected}; said: {problems}\n{text}")
    print("\n".join(failed) or f"{len(PLANTED)} planted headers, all judged rightly")
    return bool(failed)


if sys.argv[1] == "--self-test":
    sys.exit(self_test())
found = check_tree(pathlib.Path(sys.argv[1]))
print("\n".join(found) or "every public name has its comment")
sys.exit(bool(found))
