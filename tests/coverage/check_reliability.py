"""Checks docs/reliability.md: each of the 34 faults is on it once, with a test that exists, or with a reason for having none."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
names = {}
for source in (root / "tests").rglob("*.cpp"):
    for match in re.finditer(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', source.read_text()):
        name = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1)))
        names.setdefault(str(source.relative_to(root)), set()).add(name)

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
faults += [f"{line[0]}: is no row" for line in listed if not 1 <= int(line[0]) <= 34]
print("\n".join(faults) or "34 of 34 faults have their test, or their reason")
sys.exit(1 if faults else 0)
