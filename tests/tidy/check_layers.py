"""Fail when a file includes a floor that layers.txt does not allow."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
may, owner = {}, {}
for line in (pathlib.Path(__file__).parent / "layers.txt").read_text().splitlines():
    if line.strip() and not line.startswith("#"):
        floor, rest = line.split(":", 1)
        allowed, headers = rest.split("|")
        may[floor.strip()] = set(allowed.split())
        owner.update({header: floor.strip() for header in headers.split()})


def floor_of(path):
    if path.is_relative_to(root / "src"):
        return path.relative_to(root / "src").parts[0]
    return owner.get(path.stem)


bad = []
files = [*(root / "src").rglob("*.[chS]"), *(root / "include/uva").glob("*.h")]
for path in sorted(files):
    name = path.relative_to(root)
    floor = floor_of(path)
    if floor not in may:
        bad.append(f"{name}: layers.txt gives it no floor")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        m = re.match(r'#\s*include\s+"(?:(uva)/)?([\w/.]+)"', line)
        if not m:
            continue
        public, included = m.group(1), m.group(2)
        if public:
            target = owner.get(pathlib.Path(included).stem)
        else:
            target = included.split("/")[0] if "/" in included else floor
        if target == floor or target in may[floor] or included in may[floor]:
            continue
        if public and f"{target}!" in may[floor]:
            continue
        bad.append(f"{name}:{number}: {floor} may not include {line.split(None, 1)[1]}")
print("\n".join(bad) or f"layers hold in {len(files)} files")
sys.exit(bool(bad))
