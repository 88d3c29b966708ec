"""What a stackless coroutine does wrong with its locals.

The body runs again from the top after each wake-up and jumps to the await that
it left: a local written between UVA_BEGIN and an await has lost its value
behind it, and so has one in the arguments of the await itself, which are
evaluated again. What stands before UVA_BEGIN runs each time, so a local that
is written there alone is sound. A heuristic on text: it follows the order of
the lines and the loops, not each path.
"""
import re

DECLARATION = re.compile(
    r"(?:^|[;{}(\n])\s*(?P<type>(?:(?:const|unsigned|signed|struct|enum|long|short)\s+)*"
    r"(?!return\b|goto\b|else\b|case\b|static\b|typedef\b|sizeof\b|extern\b)[A-Za-z_]\w*)"
    r"(?P<rest>(?:\s+\**|\s*\*+\s*)[A-Za-z_]\w*\s*(?:[=;,]|\[))")


def closing(text, start, pair):
    """The position of the bracket that closes the one at start."""
    depth = 0
    for position in range(start, len(text)):
        if text[position] == pair[0]:
            depth += 1
        elif text[position] == pair[1]:
            depth -= 1
            if depth == 0:
                return position
    return len(text)


def statement_end(text, start):
    """Where the statement that begins at start (after blanks) ends."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start < len(text) and text[start] == "{":
        return closing(text, start, "{}")
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(text[position], 0)
        if text[position] == ";" and depth == 0:
            return position
    return len(text)


class Body:
    """One body, as ranges of positions in the text of its file."""

    def __init__(self, text, start, end):
        self.text, self.start, self.end = text, start, end
        begin = re.compile(r"\bUVA_BEGIN\b").search(text, start, end)
        self.begin = begin.end() if begin else start
        self.awaits = []  # (start, end of the call, its status variable)
        for m in re.compile(r"\b(?:UVA_)?AWAIT\w*\s*\(\s*([^,()]+?)\s*,").finditer(text, start, end):
            close = closing(text, text.index("(", m.start()), "()")
            self.awaits.append((m.start(), close, m.group(1), m.end()))
        self.loops = list(self.find_loops())

    def find_loops(self):
        """(start, end, range of a for's first clause or None)."""
        for m in re.compile(r"\b(for|while|do|UVA__LIST_FOREACH)\b").finditer(
                self.text, self.start, self.end):
            position = m.end()
            while position < self.end and self.text[position].isspace():
                position += 1
            first = None
            if m.group(1) != "do":
                if self.text[position] != "(":
                    continue
                close = closing(self.text, position, "()")
                semicolon = self.text.find(";", position, close)
                if m.group(1) == "for" and semicolon > 0:
                    first = (position, semicolon)
                position = close + 1
            yield m.start(), statement_end(self.text, position), first

    def locals(self):
        """(name, from, to): where each declared name is in scope."""
        for m in DECLARATION.finditer(self.text, self.start + 1, self.end):
            if m.group("type") in ("return", "goto", "else", "do"):
                continue
            # One declaration a line is the house's form; commas are followed.
            end = statement_end(self.text, m.start("rest"))
            yield from ((name, m.start("rest"), self.scope_end(m.start("rest")))
                        for name in declared_names(self.text[m.start("rest"):end]))

    def scope_end(self, position):
        for start, end, first in self.loops:
            if first and first[0] <= position <= first[1]:
                return end
        depth = 0
        for at in range(position, self.end):
            depth += {"{": 1, "}": -1}.get(self.text[at], 0)
            if depth < 0:
                return at
        return self.end

    def uses(self, name, start, end):
        """(reads, writes): positions of each, in the order of the text."""
        reads, writes = [], []
        for m in re.compile(rf"(?<![\w.])(?<!->){name}\b").finditer(self.text, start, end):
            before = self.text[self.start:m.start()].rstrip()
            after = self.text[m.end():m.end() + 40].lstrip()
            status = [a for a in self.awaits if a[0] < m.start() < a[3]]
            if status:
                writes.append(status[0][1])
            elif re.search(r"\bsizeof\s*\(?$|\bsizeof\s*\(\s*\*?$", before):
                continue
            elif re.match(r"=(?!=)", after):
                # The right side comes first.
                writes.append(statement_end(self.text, m.end()))
            elif re.search(r"(^|[^&\w)\]])&$", before):
                writes.append(m.end())
            elif re.match(r"(\+\+|--|(?:[-+*/%&|^]|<<|>>)=)", after) or before.endswith(("++", "--")):
                reads.append(m.start())
                writes.append(m.end())
            elif m.start() == start or re.match(r"[;,]", after) and self.declares(m.start(), name):
                continue
            else:
                reads.append(m.start())
        return reads, writes

    def declares(self, position, name):
        head = self.text[max(self.start, position - 80):position]
        statement = re.split(r"[;{}]", head)[-1]
        return bool(re.match(r"\s*[A-Za-z_][\w\s]*[\s*]+(\w+\s*,\s*\**)*$", statement)) and not \
            re.match(r"\s*(return|goto|else|case)\b", statement)

    def lost(self, name, start, end):
        """The first read of a value that did not survive an await."""
        reads, writes = self.uses(name, start, end)
        inside = [w for w in writes if w > self.begin]
        renewed = any(w <= self.begin for w in writes)
        for read in reads:
            last = max((w for w in inside if w <= read), default=None)
            for await_start, await_end, status, _ in self.awaits:
                # In the arguments: evaluated again after the wake-up.
                crossed = await_start < read <= await_end or \
                    (last is not None and last <= await_start and await_end < read)
                if crossed and last is None and (renewed or not await_start < read):
                    continue
                if crossed and last is not None and last > await_start:
                    continue
                if crossed:
                    return read
            if self.lost_in_loop(read, inside, renewed):
                return read
        return None

    def lost_in_loop(self, read, inside, renewed):
        """Round a loop: an await further down, and no write on the way here."""
        for start, end, first in self.loops:
            if not start < read < end or (first and first[0] <= read <= first[1]):
                continue
            for await_start, await_end, _, _ in self.awaits:
                if not read < await_start < end or not start < await_start:
                    continue
                way = [w for w in inside
                       if await_end <= w <= end or
                       (start < w <= read and not (first and first[0] <= w <= first[1] + 1))]
                # Written nowhere in the body: only what UVA_BEGIN saw counts.
                if not way and any(w <= await_start for w in inside):
                    return True
        return False


def declared_names(text):
    """The names of 'type *a = f(x, y), b[3]' after its type."""
    depth, part, parts = 0, "", []
    for c in text:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(c, 0)
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    for part in [*parts, part]:
        m = re.match(r"[\s*]*([A-Za-z_]\w*)", part)
        if m:
            yield m.group(1)


def stackless_problems(code):
    """(position, what is wrong) in a file without comments and literals."""
    for head in re.finditer(r"^(?:UVA_STACKLESS|KIND_TASK|KIND_TEST)\w*\s*\(", code, re.M):
        start = closing(code, code.index("(", head.start()), "()") + 1
        brace = re.compile(r"\s*\{").match(code, start)
        if not brace:
            continue
        body = Body(code, brace.end() - 1, closing(code, brace.end() - 1, "{}"))
        for m in re.compile(r"\bswitch\s*\(").finditer(code, body.start, body.end):
            end = statement_end(code, closing(code, m.end() - 1, "()") + 1)
            for await_start, _, _, _ in body.awaits:
                if m.start() < await_start < end:
                    yield await_start, "UVA_AWAIT inside the coroutine's own switch"
        for name, scope_start, scope_end in body.locals():
            at = body.lost(name, scope_start, scope_end)
            if at is not None:
                yield at, f"local {name} does not survive the await before this use"
