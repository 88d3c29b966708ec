"""Break uva in many places, one at a time, and show that a test sees each.

mutate.py [-k PATTERN] [-j JOBS] copies the tree to a temporary folder, builds
it there without a change and runs the semantic tests; then, for each mutation
of mutations.py whose file or reason contains PATTERN, it patches, builds, runs
the tests to the first that fails, and restores. mutate.py --check only proves
that each mutation still applies: its text stands in its file exactly once,
in whatever lines.
The exit status is 1 if a mutation survives or does not apply, 2 for misuse.
"""
import argparse
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from mutations import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIGURATION = (
    "-DCMAKE_BUILD_TYPE=Release", "-DUVA_ASSERT_LEVEL=1", "-DUVA_WERROR=OFF",
    "-DUVA_BUILD_SHARED=OFF", "-DUVA_BUILD_PROGRAMS=OFF", "-DUVA_HARDENING=OFF",
)
LEFT_OUT = shutil.ignore_patterns("build", ".git", "__pycache__", "*.tmp")
# Of stacks and how they are switched: the mutated files have no part in them.
NOT_SEMANTIC = {"stacks", "census", "overflow", "switch"}
KINDS = ((), ("--stackless",), ("--mixed",))
BUILD_TIMEOUT_S = 600
TEST_TIMEOUT_S = 60
# One test of an executable; what hangs makes few of them wait.
CASE_TIMEOUT_S = 10
# A mutant may queue without an end; stacks are reserved and count little.
MEMORY_BYTES = 8 << 30


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


def run(command, timeout_s, env=None):
    """(status, what it printed); the status of a command that hangs is None."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
        errors="replace", preexec_fn=limit_memory, start_new_session=True)
    try:
        text, _ = process.communicate(timeout=timeout_s)
        return process.returncode, text
    except subprocess.TimeoutExpired:
        # Check passes it on to the process of its test, or, between two tests,
        # to its own group: it has one of its own.
        process.send_signal(signal.SIGTERM)
    except BaseException:
        process.send_signal(signal.SIGTERM)
        raise
    try:
        text, _ = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
    return None, text


# --- mutations ---

def places_of(text, source):
    """Where a text stands in a source, however the lines are broken there."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    pattern = r"\s*".join(map(re.escape, tokens))
    return list(re.finditer(pattern, source))


def problem_of(root, mutation):
    """Why a mutation does not apply; else None."""
    name, text, replacement, why = mutation
    path = root / name
    if not path.is_file():
        return "no such file"
    count = len(places_of(text, path.read_text()))
    if count != 1:
        return f"its text stands there {count} times: {text.splitlines()[0].strip()}"
    if text == replacement or not why:
        return "it changes nothing, or does not say why it is wrong"
    return None


def check(mutations):
    bad = 0
    for mutation in mutations:
        problem = problem_of(ROOT, mutation)
        if problem:
            print(f"{mutation[0]}: {mutation[3]}: {problem}")
            bad += 1
    print(f"{len(mutations) - bad} of {len(mutations)} apply")
    return 1 if bad else 0


# --- building and running ---

def what_failed(status, text):
    """The test that failed first, from what Check printed."""
    failed = re.search(r":[FE]:([^:]+:[^:]+):(.*)", text)
    if not failed:
        return "hangs" if status is None else f"status {status}"
    hangs = " (hangs)" if "timeout" in failed.group(2) else ""
    return failed.group(1) + hangs


class Copy:
    """A copy of the tree and its build."""

    def __init__(self, folder, jobs):
        self.source = folder / "uva"
        self.binary = folder / "build"
        self.jobs = jobs
        self.modules = []
        shutil.copytree(ROOT, self.source, ignore=LEFT_OUT)

    def configure(self):
        generator = ("-G", "Ninja") if shutil.which("ninja") else ()
        status, printed = run(("cmake", *generator, "-S", str(self.source),
                               "-B", str(self.binary), *CONFIGURATION),
                              BUILD_TIMEOUT_S)
        if status == 0:
            # Not all that are in the tree: those of the tools are not made.
            _, targets = run(("cmake", "--build", str(self.binary),
                              "--target", "help"), BUILD_TIMEOUT_S)
            found = set(re.findall(r"^(?:\.\.\. )?test_(\w+)\b", targets, re.M))
            self.modules = sorted(found - NOT_SEMANTIC)
        return status, printed

    def build(self):
        targets = [f"test_{module}" for module in self.modules] + ["uva_conform"]
        return run(("cmake", "--build", str(self.binary), "-j", str(self.jobs),
                    "--target", *targets), BUILD_TIMEOUT_S)

    def in_order(self, name):
        """The modules, those first that a file's name speaks of."""
        words = set(pathlib.Path(name).stem.rstrip("s").split("_"))

        def strangeness(module):
            return not any(word in module for word in words)
        return sorted(self.modules, key=strangeness)

    def first_failure(self, name):
        """What fails first, and how; None if all passes."""
        env = {"CK_FORK": "yes", "CK_DEFAULT_TIMEOUT": str(CASE_TIMEOUT_S),
               "PATH": "/usr/bin:/bin"}
        for module in self.in_order(name):
            path = self.binary / "tests/bin" / f"test_{module}"
            status, text = run((str(path),), TEST_TIMEOUT_S, env)
            if status != 0:
                return f"{module}:{what_failed(status, text)}"
        corpus = self.source / "tests/conformance/corpus"
        for path in sorted(corpus.glob("*/*.txt")):
            for kind in KINDS:
                command = (self.binary / "bin/uva_conform", *kind, path)
                status, _ = run(tuple(map(str, command)), TEST_TIMEOUT_S, env)
                if status != 0:
                    return " ".join(("conform", path.parent.name, path.stem, *kind))
        return None

    def try_mutation(self, mutation):
        """What catches it; None if it survives."""
        name, text, replacement, _ = mutation
        path = self.source / name
        original = path.read_text()
        place, = places_of(text, original)
        path.write_text(original[:place.start()] + replacement +
                        original[place.end():])
        try:
            status, printed = self.build()
            if status != 0:
                print(printed)
                raise SystemExit(f"{name}: the mutant does not build: {mutation[3]}")
            return self.first_failure(name)
        finally:
            path.write_text(original)


def hunt(mutations, jobs):
    caught = 0
    with tempfile.TemporaryDirectory(prefix="uva-mutate-") as folder:
        copy = Copy(pathlib.Path(folder), jobs)
        for step in (copy.configure, copy.build):
            status, printed = step()
            if status != 0:
                raise SystemExit(printed + "the tree does not build")
        failed = copy.first_failure("")
        if failed:
            raise SystemExit(f"{failed} fails without a mutation")
        for mutation in mutations:
            by = copy.try_mutation(mutation)
            caught += by is not None
            verdict = f"caught by {by}" if by else "SURVIVED"
            print(f"{mutation[0]}: {mutation[3]}: {verdict}", flush=True)
    print(f"{caught} of {len(mutations)} caught")
    return 0 if caught == len(mutations) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="PATTERN", default="",
                        help="only those whose file or reason contains it")
    parser.add_argument("-j", metavar="JOBS", type=int, default=2,
                        help="jobs of a build (2)")
    parser.add_argument("--check", action="store_true",
                        help="only show that each mutation applies")
    options = parser.parse_args()
    chosen = [m for m in MUTATIONS if options.k in f"{m[0]}: {m[3]}"]
    if not chosen:
        parser.error(f"no mutation contains {options.k}")
    status = check(chosen)
    return status if status or options.check else hunt(chosen, options.j)


if __name__ == "__main__":
    sys.exit(main())
