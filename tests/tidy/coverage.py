"""Executed lines of src/, by file, from the counters of a build tree.

coverage.py ROOT BUILD, for a build by gcc; llvm-cov writes no JSON.
"""
import collections
import json
import pathlib
import subprocess
import sys

root, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
lines = collections.defaultdict(dict)
for counters in sorted((build / "src").rglob("*.gcda")):
    report = subprocess.run(["gcov", "--json-format", "--stdout", str(counters)],
                            cwd=build, capture_output=True, text=True, check=True).stdout
    for document in filter(None, report.splitlines()):
        for entry in json.loads(document)["files"]:
            path = (build / entry["file"]).resolve()
            if not path.is_relative_to(root / "src"):
                continue
            counts = lines[path.relative_to(root)]
            for line in entry["lines"]:
                number = line["line_number"]
                counts[number] = counts.get(number, 0) + line["count"]

total_run = total = 0
for path, counts in sorted(lines.items()):
    run = sum(count > 0 for count in counts.values())
    missed = [number for number, count in sorted(counts.items()) if count == 0]
    total_run, total = total_run + run, total + len(counts)
    shown = " ".join(map(str, missed[:12])) + (" ..." if len(missed) > 12 else "")
    print(f"{100 * run / max(1, len(counts)):5.1f}%  {run:5} of {len(counts):5}  {path}"
          + (f"  not: {shown}" if missed else ""))
print(f"{100 * total_run / max(1, total):5.1f}%  {total_run:5} of {total:5}  all of src/")
