"""Checks docs/coverage.md: each of the 51 rows is on it once, with a test that exists and is named for the row, and with how many
of those there are."""
import collections
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
rows = [f"{table}{number}" for table, count in (("P", 13), ("O", 15), ("M", 6), ("H", 9), ("D", 8)) for number in range(1, count + 1)]

names = {}
counts = collections.Counter()
for source in (root / "tests").rglob("*.cpp"):
    # Not those with a decorator, `* doctest::skip()`, which a run leaves out.
    for match in re.finditer(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', source.read_text()):
        name = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1)))
        names.setdefault(str(source.relative_to(root)), set()).add(name)
        # A test may be of several rows: "P3 P9 a directory …".
        counts.update(set(re.match(r"(?:[POMHD]\d+ )*", name).group().split()))

listed = re.findall(r"^\| (\w+) \| (.+?) \| “(.+?)” \((\S+)\) \| (\d+) \|$", (root / "docs/coverage.md").read_text(), re.M)
faults = []
for row in rows:
    lines = [line for line in listed if line[0] == row]
    if len(lines) != 1:
        faults.append(f"{row}: on the page {len(lines)} times, not once")
        continue
    _, function, test, source, count = lines[0]
    if "`" not in function:
        faults.append(f"{row}: names no function")
    if not re.match(rf"{row}\b", test):
        faults.append(f"{row}: its test is not named for it")
    if test not in names.get(source, ()):
        faults.append(f"{row}: {source} has no test “{test}”")
    if int(count) != counts[row]:
        faults.append(f"{row}: has {counts[row]} tests, the page says {count}")
faults += [f"{line[0]}: is no row" for line in listed if line[0] not in rows]
faults += [f"{row}: is no row, and has tests" for row in counts if row not in rows]
print("\n".join(faults) or f"{len(rows)} of {len(rows)} rows have their function, their test and their number of tests")
sys.exit(1 if faults else 0)
