"""Fail on what the house style forbids and a text search can find.

check_style.py ROOT checks a tree; check_style.py --self-test plants one
violation of each rule in a temporary tree and fails if one goes unseen.
"""
import pathlib
import re
import sys
import tempfile

from csource import blank, functions
from stackless import stackless_problems

C_FOLDERS = ("src", "include", "tests", "examples", "bench", "tools")
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600

# Calls, where they are banned, and the files that exist to make them.
BANNED = (
    (r"malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign",
     r"src/", r"src/base/alloc\.c"),
    (r"printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror",
     r"src/", r"src/base/(log|format|assert)\.c"),
    (r"abort|exit", r"src/", r"src/base/assert\.[ch]"),
    (r"sprintf|vsprintf|strcpy|strcat|strtok|atoi|gets|alloca",
     r"(src|include|examples|tools|bench|tests)/", None),
    # A wait that nothing can end makes a program late and a test slow.
    (r"sleep|usleep|nanosleep", r"(src|include|examples|tests)/", None),
)

# Where libuv may not be called, and where its header may not be included.
UV_FREE = r"src/(sync|streams|http)/|src/core/(?!driver_(uv\w*|inside)\.[ch])"
# The core's locks are libuv's: they are no business of a loop or a socket.
UV_IN_CORE = r"uv_(mutex|cond|sem|once|key|thread)"
OS_MACROS = r"__linux__|__APPLE__|_WIN32|__FreeBSD__|__OpenBSD__|__NetBSD__|__sun|_AIX"
OS_FREE = r"(include|src)/(?!base/|stack/|core/driver_(uv\w*|inside)\.[ch]|io/)"


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def banned_calls(name, code):
    for calls, where, but in BANNED:
        if not re.match(where, name) or (but and re.match(but, name)):
            continue
        # A member called like that is a hook's, not the C library's.
        for m in re.finditer(rf"(?<![\w.>])({calls})\s*\(", code):
            yield line_of(code, m.start()), f"calls {m.group(1)}()"


def comments(name, text, code):
    # What is left of a // after literals and /* */ are gone starts a comment.
    kept = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    for m in re.finditer(r"//", kept):
        yield line_of(kept, m.start()), "// comment"
    for m in re.finditer(r"\bTODO\b[^\n]*", text):
        if not re.match(r"TODO: .*\b(when|once|until|if|as soon as)\b", m.group()):
            yield line_of(text, m.start()), "TODO without the condition that ends it"


def floors(name, text, code):
    if re.match(UV_FREE, name):
        for m in re.finditer(r"\buv_\w+\s*\(", code):
            if not (name.startswith("src/core/") and re.match(UV_IN_CORE, m.group())):
                yield line_of(code, m.start()), f"calls libuv: {m.group()[:-1].strip()}"
        for m in re.finditer(r"^\s*#\s*include\s*<uv\.h>", text, re.M):
            yield line_of(text, m.end()), "includes <uv.h>"
    if re.match(OS_FREE, name):
        for m in re.finditer(rf"^\s*#\s*(?:if|ifdef|ifndef|elif)\b[^\n]*?\b({OS_MACROS})\b",
                             code, re.M):
            yield line_of(code, m.end()), f"asks for the system: {m.group(1)}"


def lengths(name, text):
    for line, length in functions(text):
        if length > MAX_FUNCTION_LINES:
            yield line, f"function of {length} lines"
    count = text.count("\n")
    if count > MAX_FILE_LINES and not name.startswith("tests/"):
        yield count, f"file of {count} lines"


def absolute_paths(text):
    for m in re.finditer(r"(?<![\w.])/(?:home|root|work|farm|Users)/\w", text):
        yield line_of(text, m.start()), f"path of one machine: {m.group()}..."


def check_c(name, text):
    code = blank(text)
    yield from comments(name, text, code)
    yield from banned_calls(name, code)
    yield from floors(name, text, code)
    yield from lengths(name, text)
    for position, problem in stackless_problems(code):
        yield line_of(code, position), problem


def check_tree(root):
    problems = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if re.match(r"(build|\.git)(/|$)", name) or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # An input of a fuzzer, or a picture.
        found = list(absolute_paths(text))
        if re.match(rf"({'|'.join(C_FOLDERS)})/.*\.[ch]$", name):
            found += check_c(name, text)
        problems += [f"{name}:{line}: {problem}" for line, problem in sorted(found)]
    return problems


STACKLESS = """UVA_STACKLESS(int, f, uva_sleep_t nap;)
{
    int r;
    %s
    UVA_BEGIN
    %s
    UVA_END
    return 0;
}
"""
AWAIT = "UVA_AWAIT(r, uva_sleep, &self->nap, 1);"

# File, text, and what must be said of it; None for nothing at all.
PLANTED = (
    ("src/core/a.c", "int x; // no\n", "// comment"),
    ("src/core/b.c", '/* http://a */ const char *x = "//";\n', None),
    ("src/core/c.c", "/* TODO: make it faster */\n", "TODO without"),
    ("src/core/d.c", "/* TODO: drop when libuv 1.50 is the minimum */\n", None),
    ("src/core/e.c", "void f(void)\n{\n    free(0);\n}\n", "calls free()"),
    ("src/base/alloc.c", "void f(void)\n{\n    free(0);\n}\n", None),
    ("src/core/f.c", "void f(void)\n{\n    hooks.free(0);\n    hooks->free(0);\n}\n", None),
    ("src/io/g.c", 'void f(void)\n{\n    printf("x");\n}\n', "calls printf()"),
    ("tools/h.c", "void f(void)\n{\n    atoi(x);\n}\n", "calls atoi()"),
    ("tests/i.c", "void f(void)\n{\n    usleep(1);\n}\n", "calls usleep()"),
    ("src/sync/j.c", "void f(void)\n{\n    uv_ref(x);\n}\n", "calls libuv"),
    ("src/io/k.c", "#include <uv.h>\nvoid f(void)\n{\n    uv_ref(x);\n}\n", None),
    ("src/core/ja.c", "void f(void)\n{\n    uv_mutex_lock(x);\n}\n", None),
    ("src/core/jb.c", "void f(void)\n{\n    uv_ref(x);\n}\n", "calls libuv"),
    ("src/sync/jc.c", "void f(void)\n{\n    uv_mutex_lock(x);\n}\n", "calls libuv"),
    ("src/core/l.c", "#include <uv.h>\n", "includes <uv.h>"),
    ("src/core/driver_uv.c", "#include <uv.h>\nvoid f(void)\n{\n    uv_ref(x);\n}\n", None),
    ("src/core/m.c", "#ifdef __linux__\n#endif\n", "asks for the system"),
    ("src/io/n.c", "#ifdef __linux__\n#endif\n", None),
    ("src/io/o.c", "void f(void)\n{\n" + "    x();\n" * 70 + "}\n", "function of 72 lines"),
    ("src/io/p.c", "int x;\n" * 601, "file of 601 lines"),
    ("include/uva/p.h", "int x;\n" * 601, "file of 601 lines"),
    ("tools/p.c", "int x;\n" * 600, None),
    ("tests/io/p.c", "int x;\n" * 601, None),
    ("README.md", "see /" + "home/somebody/uva\n", "path of one machine"),
    ("examples/a.c", STACKLESS % ("int n = 0;", f"n = 5; {AWAIT} use(n);"), "local n"),
    ("examples/b.c", STACKLESS % ("int n;", f"n = 5; {AWAIT} n = 6; use(n);"), None),
    ("examples/c.c", STACKLESS % ("int n;", f"n = 5; {AWAIT} use(n);"), "local n"),
    ("examples/ca.c", STACKLESS % (
        "int n;", "n = 5; UVA_AWAIT(self->r, uva_sleep, &self->nap, 1); use(n);"), "local n"),
    ("examples/d.c", STACKLESS % ("int n;", f"{AWAIT} if (r < 0) {{ return r; }} n = r; use(n);"), None),
    ("examples/e.c", STACKLESS % ("", f"switch (x) {{ case 1: {AWAIT} }}"), "own switch"),
    ("examples/f.c", STACKLESS % ("", f"for (int i = 0; i < 3; i++) {{ {AWAIT} }}"), "local i"),
    ("examples/g.c", STACKLESS % (
        "", f"for (self->i = 0; self->i < 3; self->i++) {{ {AWAIT} }}"), None),
    ("examples/h.c", STACKLESS % (
        "int n = 1;", "n = 2; UVA_AWAIT(r, uva_sleep, &self->nap, n);"), "local n"),
    ("examples/i.c", STACKLESS % ("int n = self->n;", f"{AWAIT} use(n);"), None),
    ("examples/j.c", STACKLESS % (
        "", f"{{ int n = 1; use(n); }} {AWAIT} {{ int n = 2; use(n); }}"), None),
    ("examples/k.c", STACKLESS % ("int n;", f"{AWAIT} take(&n); use(n);"), None),
    ("examples/l.c", STACKLESS % ("int n;", f"take(&n); {AWAIT} use(n);"), "local n"),
    ("examples/m.c", STACKLESS % ("thing_t *p;", f"p = self->p; {AWAIT} p->x = 1;"), "local p"),
    ("examples/n.c", STACKLESS % ("thing_t *p;", f"{AWAIT} p = self->p; p->x = self->n;"), None),
)


def self_test():
    failed = []
    for name, text, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            problems = check_tree(pathlib.Path(folder))
        if expected is None and problems:
            failed.append(f"{name}: said without cause: {problems}\n{text}")
        if expected is not None and not any(expected in problem for problem in problems):
            failed.append(f"{name}: not seen: {expected}; said: {problems}\n{text}")
    print("\n".join(failed) or f"{len(PLANTED)} planted files, all judged rightly")
    return bool(failed)


if sys.argv[1] == "--self-test":
    sys.exit(self_test())
found = check_tree(pathlib.Path(sys.argv[1]))
print("\n".join(found) or "style holds")
sys.exit(bool(found))
