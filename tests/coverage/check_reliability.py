"""Checks docs/reliability.md: each of the 34 faults is on it once, with a test that exists, or with a reason for having none; and
each seeded bug that a row names exists, and names one of the row's tests as one that catches it."""
import fnmatch
import pathlib
import re
import shlex
import sys

root = pathlib.Path(sys.argv[1])
names = {}
for source in (root / "tests").rglob("*.cpp"):
    # Not those with a decorator, `* doctest::skip()`, which a run leaves out.
    for match in re.finditer(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', source.read_text()):
        name = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1)))
        names.setdefault(str(source.relative_to(root)), set()).add(name)
for source in (root / "src/conformance").glob("*.cpp"):
    names[str(source.relative_to(root))] = set(re.findall(r'\{"(\w+\.\w+)",', source.read_text()))


def fault_of_bug(number, tests):
    """What is wrong with naming the seeded bug beside these tests; empty: nothing."""
    patches = list((root / "tests/seeded_bugs").glob(f"{number}-*.patch"))
    if len(patches) != 1:
        return f"there is no seeded bug {number}"
    checks = [shlex.split(line) for line in re.findall(r"^caught by: (.+)$", patches[0].read_text(), re.M)]
    caught = any(fnmatch.fnmatchcase(test, check[1]) for check in checks if len(check) > 1 for test, _ in tests)
    return "" if caught else f"seeded bug {number} is caught by none of its tests"


page = (root / "docs/reliability.md").read_text().split("## The last long run")[0]
listed = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+) \|$", page, re.M)
faults = []
for row in range(1, 35):
    lines = [line for line in listed if line[0] == str(row)]
    if len(lines) != 1:
        faults.append(f"{row}: on the page {len(lines)} times, not once")
        continue
    shown = lines[0][3]
    tests = re.findall(r"“(.+?)” \((\S+?)\)", shown)
    if not tests and not re.match(r"none(?: here)?: \S.{30,}", shown):
        faults.append(f"{row}: has no test, and no reason for that")
    faults += [f"{row}: {source} has no test “{test}”" for test, source in tests if test not in names.get(source, ())]
    for bugs in re.findall(r"seeded bugs? (\d+(?:, \d+)*)", shown):
        faults += [f"{row}: {fault}" for fault in (fault_of_bug(number, tests) for number in bugs.split(", ")) if fault]
faults += [f"{line[0]}: is no row" for line in listed if not 1 <= int(line[0]) <= 34]
print("\n".join(faults) or "34 of 34 faults have their test, or their reason")
sys.exit(1 if faults else 0)
