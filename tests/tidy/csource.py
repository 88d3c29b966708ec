"""C text without its comments and literals, and where its functions are."""
import re


def blank(text):
    """Comments and literals become blanks; every position and line stays."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, spaces, text, flags=re.S)


def bodies(text):
    """Of each function: what stands before its brace, the line of the brace,
    the number of lines; lines count from 1."""
    depth, start, head, skip, is_function = 0, 0, "", False, False
    for number, line in enumerate(blank(text).split("\n"), 1):
        if skip or line.lstrip().startswith("#"):
            skip = line.rstrip().endswith("\\")
            continue
        for c in line:
            if c == "{":
                if depth == 0:
                    is_function, start = head.rstrip().endswith(")"), number
                depth += 1
            elif c == "}":
                depth = max(0, depth - 1)
                if depth == 0:
                    if is_function:
                        yield head, start, number - start + 1
                    head = ""
            elif depth == 0:
                head = "" if c == ";" else head + c
        head += " " if depth == 0 else ""


def functions(text):
    """Of each function: (line of its brace, number of lines), both from 1."""
    return [(start, length) for _, start, length in bodies(text)]


def definitions(text):
    """The names of the functions that a text defines."""
    for head, _, _ in bodies(text):
        # Attributes and macros stand before the name; it may have brackets.
        names = re.findall(r"\b(\w*[a-z]\w*)\b\)?\s*\(", head)
        names = [name for name in names if name != "__attribute__"]
        if names:
            yield names[0]
