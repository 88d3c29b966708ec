"""C text without its comments and literals, and where its functions are."""
import re


def blank(text):
    """Comments and literals become blanks; every position and line stays."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, spaces, text, flags=re.S)


def functions(text):
    """Of each function: (line of its brace, number of lines), both from 1."""
    found, depth, start, head, skip, is_function = [], 0, 0, "", False, False
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
                        found.append((start, number - start + 1))
                    head = ""
            elif depth == 0:
                head = "" if c == ";" else head + c
        head += " " if depth == 0 else ""
    return found
