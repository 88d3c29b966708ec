"""Break uva in many places, one at a time, and show that a test sees each.

mutate.py [-k PATTERN] [-j JOBS] copies the tree to a temporary folder, builds
it there without a change and runs the semantic tests; then, for each mutation
of mutations.py whose file, reason or invariant contains PATTERN, it patches,
builds with warnings as errors, runs the tests to the first that fails, and
restores. A mutant that does not compile is a mistake of the table: a crash
that a warning foretells shows nothing about the tests.
mutate.py --check only proves that each mutation still applies: its text stands
exactly once in src and include, in whatever file and lines.
The exit status is 1 if a mutation survives, does not compile or does not
apply, 2 for misuse.
"""
import argparse
import functools
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from mutations import INVARIANTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIGURATION = (
    "-DCMAKE_BUILD_TYPE=Release", "-DUVA_ASSERT_LEVEL=1", "-DUVA_WERROR=ON",
    "-DUVA_BUILD_SHARED=OFF", "-DUVA_BUILD_PROGRAMS=OFF", "-DUVA_HARDENING=OFF",
)
LEFT_OUT = shutil.ignore_patterns("build", ".git", "__pycache__", "*.tmp")
# Of stacks and how they are switched: the mutated files have no part in them.
NOT_SEMANTIC = {"stacks", "measure", "overflow", "switch"}
CONFORM = "conform"
KINDS = ((), ("--stackless",), ("--mixed",))
BUILD_TIMEOUT_S = 600
TEST_TIMEOUT_S = 60
# One test of an executable; what hangs makes few of them wait.
CASE_TIMEOUT_S = 10
# A mutant may queue without an end; stacks are reserved and count little.
MEMORY_BYTES = 8 << 30
# Suites that are linked at once: the first ones mostly catch the mutation.
LINKED_AT_ONCE = 6


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

@functools.lru_cache
def sources():
    """The text of each file that may be mutated, by its name."""
    paths = [path for folder in ("src", "include")
             for path in sorted((ROOT / folder).rglob("*.[ch]"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def places_of(text):
    """(file, match) wherever a text stands, however the lines are broken there."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    word = r"\b" if re.match(r"\w", text) else ""
    pattern = re.compile(word + r"\s*".join(map(re.escape, tokens)))
    return [(name, match) for name, source in sources().items()
            for match in pattern.finditer(source)]


class Mutation:
    """One row of the table, and where it applies."""

    def __init__(self, invariant, text, replacement, why):
        self.invariant = invariant
        self.text = text
        self.replacement = replacement
        self.why = why
        self.places = places_of(text)
        self.name = self.places[0][0] if self.places else "nowhere"

    def __str__(self):
        return f"{self.name}: {self.why}"

    def problem(self):
        """Why it does not apply; else None."""
        if len(self.places) != 1:
            return f"its text stands there {len(self.places)} times: {self.text}"
        if self.text == self.replacement or not self.why:
            return "it changes nothing, or does not say why it is wrong"
        return None

    def mutant(self):
        name, match = self.places[0]
        source = sources()[name]
        return source[:match.start()] + self.replacement + source[match.end():]


def table():
    return [Mutation(invariant, *row) for invariant, rows in INVARIANTS for row in rows]


def check(mutations):
    bad = 0
    for mutation in mutations:
        problem = mutation.problem()
        if problem:
            print(f"{mutation}: {problem}")
            bad += 1
    print(f"{len(mutations) - bad} of {len(mutations)} apply")
    return 1 if bad else 0


# --- building and running ---

class DoesNotCompile(Exception):
    """What the compiler says of a mutant."""


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
        self.suites = []
        shutil.copytree(ROOT, self.source, ignore=LEFT_OUT)

    def configure(self):
        generator = ("-G", "Ninja") if shutil.which("ninja") else ()
        status, printed = run(("cmake", *generator, "-S", str(self.source),
                               "-B", str(self.binary), *CONFIGURATION),
                              BUILD_TIMEOUT_S)
        if status != 0:
            raise SystemExit(printed + "the tree cannot be configured")
        # Not all that are in the tree: those of the tools are not made.
        _, targets = run(("cmake", "--build", str(self.binary),
                          "--target", "help"), BUILD_TIMEOUT_S)
        found = set(re.findall(r"^(?:\.\.\. )?test_(\w+)\b", targets, re.M))
        self.suites = [*sorted(found - NOT_SEMANTIC), CONFORM]

    def build(self, *targets):
        status, printed = run(("cmake", "--build", str(self.binary), "-j",
                               str(self.jobs), "--target", *targets), BUILD_TIMEOUT_S)
        if status != 0:
            raise DoesNotCompile(printed)

    def in_order(self, name):
        """The suites, those first that a file's name speaks of."""
        words = set(pathlib.Path(name).stem.rstrip("s").split("_"))

        def strangeness(suite):
            return not any(word in suite for word in words)
        return sorted(self.suites, key=strangeness)

    def failure_of(self, suite):
        """What fails in a suite that is built; None if it passes."""
        env = {"CK_FORK": "yes", "CK_DEFAULT_TIMEOUT": str(CASE_TIMEOUT_S),
               "PATH": "/usr/bin:/bin"}
        if suite != CONFORM:
            path = self.binary / "tests/bin" / f"test_{suite}"
            status, text = run((str(path),), TEST_TIMEOUT_S, env)
            return f"{suite}:{what_failed(status, text)}" if status != 0 else None
        corpus = self.source / "tests/conformance/corpus"
        for path in sorted(corpus.glob("*/*.txt")):
            for kind in KINDS:
                command = (self.binary / "bin/uva_conform", *kind, path)
                status, _ = run(tuple(map(str, command)), TEST_TIMEOUT_S, env)
                if status != 0:
                    return " ".join((CONFORM, path.parent.name, path.stem, *kind))
        return None

    def first_failure(self, suites):
        """What fails first, and how; None if all passes."""
        self.build("uva_static")
        for i in range(0, len(suites), LINKED_AT_ONCE):
            some = suites[i:i + LINKED_AT_ONCE]
            self.build(*("uva_conform" if suite == CONFORM else f"test_{suite}"
                         for suite in some))
            for suite in some:
                failure = self.failure_of(suite)
                if failure:
                    return failure
        return None

    def prove(self):
        """The suites pass without a change."""
        try:
            failed = self.first_failure(self.suites)
        except DoesNotCompile as error:
            raise SystemExit(f"{error}\nthe tree does not build") from error
        if failed:
            raise SystemExit(f"{failed} fails without a mutation")

    def judge(self, name, mutant, suites):
        """What catches a mutant of a file; None if it survives."""
        path = self.source / name
        original = path.read_text()
        path.write_text(mutant)
        try:
            return self.first_failure(suites)
        finally:
            path.write_text(original)


def hunt(mutations, jobs):
    caught = 0
    with tempfile.TemporaryDirectory(prefix="uva-mutate-") as folder:
        copy = Copy(pathlib.Path(folder), jobs)
        copy.configure()
        copy.prove()
        for mutation in mutations:
            try:
                by = copy.judge(mutation.name, mutation.mutant(),
                                copy.in_order(mutation.name))
                caught += by is not None
                verdict = f"caught by {by}" if by else "SURVIVED"
            except DoesNotCompile as error:
                said = re.findall(r"^.*\berror: .*$", str(error), re.M)
                verdict = "DOES NOT COMPILE: " + (said[0] if said else str(error))
            print(f"{mutation}: {verdict}", flush=True)
    print(f"{caught} of {len(mutations)} caught")
    return 0 if caught == len(mutations) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="PATTERN", default="",
                        help="only those whose file, reason or invariant contains it")
    parser.add_argument("-j", metavar="JOBS", type=int, default=2,
                        help="jobs of a build (2)")
    parser.add_argument("--check", action="store_true",
                        help="only show that each mutation applies")
    options = parser.parse_args()
    chosen = [m for m in table() if options.k in f"{m}: {m.invariant}"]
    if not chosen:
        parser.error(f"no mutation contains {options.k}")
    status = check(chosen)
    return status if status or options.check else hunt(chosen, options.j)


if __name__ == "__main__":
    sys.exit(main())
