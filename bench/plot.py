"""Two plots as SVG: lines with logarithmic axes, and bars."""
import math
from xml.sax.saxutils import escape

COLOURS = ["#1b6ca8", "#d1495b", "#2e8b57", "#8e5ea2", "#c98a1b", "#555555"]
STYLE = "font-family:sans-serif;font-size:12px"


def text(x, y, words, anchor="start"):
    return '<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>' % (
        x, y, anchor, escape(words))


def rule(x1, y1, x2, y2, colour="#ddd"):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (
        x1, y1, x2, y2, colour)


def write(path, width, height, parts):
    with open(path, "w") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
                   'style="%s">\n<rect width="100%%" height="100%%" fill="white"/>\n'
                   % (width, height, STYLE))
        file.write("\n".join(parts) + "\n</svg>\n")


def decades(numbers):
    low = math.floor(math.log10(min(numbers)))
    return low, max(math.ceil(math.log10(max(numbers))), low + 1)


def lines(path, title, series):
    """series: a name and its points (x, y), all above 0."""
    points = [p for found in series.values() for p in found]
    if not points:
        return
    left, top, width, height = 70, 40, 460, 300
    x_low, x_high = decades([x for x, _ in points])
    y_low, y_high = decades([y for _, y in points])

    def place(x, y):
        return (left + width * (math.log10(x) - x_low) / (x_high - x_low),
                top + height * (1 - (math.log10(y) - y_low) / (y_high - y_low)))
    parts = [text(left, 24, title)]
    for power in range(x_low, x_high + 1):
        x, _ = place(10 ** power, 10 ** y_low)
        parts += [rule(x, top, x, top + height),
                  text(x, top + height + 18, "10^%d" % power, "middle")]
    for power in range(y_low, y_high + 1):
        _, y = place(10 ** x_low, 10 ** power)
        parts += [rule(left, y, left + width, y),
                  text(left - 8, y + 4, "10^%d" % power, "end")]
    for index, (name, found) in enumerate(sorted(series.items())):
        colour = COLOURS[index % len(COLOURS)]
        path_points = " ".join("%.1f,%.1f" % place(x, y) for x, y in sorted(found))
        parts.append('<polyline points="%s" fill="none" stroke="%s" '
                     'stroke-width="2"/>' % (path_points, colour))
        y = top + 14 + 20 * index
        parts += [rule(left + width + 15, y - 4, left + width + 35, y - 4, colour),
                  text(left + width + 40, y, name)]
    write(path, left + width + 200, top + height + 40, parts)


def bars(path, title, found):
    """found: a name and a ratio each; the line is at 1."""
    if not found:
        return
    left, top, width, step = 330, 40, 340, 20
    most = max(2.0, max(ratio for _, ratio in found))
    parts = [text(left, 24, title)]
    for index, (name, ratio) in enumerate(found):
        y = top + index * step
        parts += [text(left - 8, y + 13, name, "end"),
                  '<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'
                  % (left, y + 2, width * ratio / most, step - 5, COLOURS[0]),
                  text(left + width * ratio / most + 5, y + 13, "%.2f" % ratio)]
    one = left + width / most
    parts.append(rule(one, top, one, top + step * len(found), "#d1495b"))
    write(path, left + width + 70, top + step * len(found) + 20, parts)
