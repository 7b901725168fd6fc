"""What the tests take of src/storage and backends, from gcovr's report: figures for one page, what is not taken for another.

branches.py COVERAGE.json [FIGURES_PAGE NOT_TAKEN_PAGE]

A line that no test takes needs a reason in reasons.toml, or this fails; so does a reason that nothing needs. Of a line that is taken,
but not in all its ways, the kind of its condition is the reason."""
import collections
import datetime
import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import tomllib

BEGIN, END = "<!-- branches: begin -->", "<!-- branches: end -->"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NEAR = 3  # lines: what is not taken so near to one another is one thing

KINDS = {
    "handed on": "An error that the call before may answer goes to the caller as it is, or with the path. Every call of the seam fails once, and "
    "for good, in each operation (`tests/crash/fault_test.cpp`, `reading_test.cpp`, `flush_test.cpp`, `repair_test.cpp`); these are the "
    "places that no operation reaches with that error, because an earlier call has already failed, or a system call that does not fail here.",
    "lack of memory": "Each allocation fails once in `tests/crash/allocation_test.cpp`, of the codec and of the primitives; here it does not, or in a thread of the library's own.",
    "part of a condition": "Both ways of the whole condition are taken; not each of its parts decides it once.",
    "one way": "The condition comes out the same way in every test.",
    "compiler": "There is no condition of ours in the line: a temporary's destructor, or a function put in line.",
}
HANDED_ON = re.compile(r"return .*(\berror\(\)|last_error\(\)|_error\(|failed\(|refuse\(|corrupt\(|judge\(|system_code\()")
CONDITION = re.compile(r"\b(if|for|while|switch|case|catch)\b|\?|&&|\|\|")


def kind_of(code, missing, total):
    if "catch (" in code or "bad_alloc" in code:
        return "lack of memory"
    if not CONDITION.search(code):
        return "compiler"
    if HANDED_ON.search(code):
        return "handed on"
    return "part of a condition" if "&&" in code or "||" in code or total > 2 and missing * 2 < total else "one way"


class File:
    def __init__(self, report):
        self.name = report["file"]
        self.source = (ROOT / self.name).read_text().split("\n")
        self.lines = [line for line in report["lines"] if not line.get("gcovr/noncode")]

    def code(self, number):
        return self.source[number - 1].strip()

    def ways(self, line):
        found = [branch for branch in line["branches"] if not branch.get("throw")]
        return sum(branch["count"] > 0 for branch in found), len(found)

    def counts(self):
        """Lines taken and in all, ways taken and in all."""
        ways = [self.ways(line) for line in self.lines]
        taken = sum(line["count"] > 0 for line in self.lines)
        return [taken, len(self.lines), sum(way[0] for way in ways), sum(way[1] for way in ways)]

    def blocks(self):
        """The lines that are not taken, those near to one another together."""
        blocks = []
        for number in (line["line_number"] for line in self.lines if line["count"] == 0):
            if blocks and number - blocks[-1][-1] <= NEAR:
                blocks[-1].append(number)
            else:
                blocks.append([number])
        return blocks

    def half_taken(self):
        for line in self.lines:
            taken, total = self.ways(line)
            if line["count"] > 0 and taken < total:
                yield line["line_number"], total - taken, total


def reason_for(reasons, file, block):
    for reason in reasons:
        fits = (lambda part, code: part == code) if reason.get("whole_line") else (lambda part, code: part in code)
        if fnmatch.fnmatch(file.name, reason["files"]) and any(fits(part, file.code(number)) for number in block for part in reason["code"]):
            reason["used"] = True
            return reason["why"]
    return None


def cell(text):
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


def percent(taken, total):
    return f"{100 * taken / total if total else 100:.1f} %"


def figures(files):
    lines = ["| file | lines | of | | branches | of | |", "|---|---|---|---|---|---|---|"]
    whole = [sum(column) for column in zip(*(file.counts() for file in files))]
    for name, (taken, of, ways, all_ways) in [(f"`{file.name}`", file.counts()) for file in files if file.lines] + [("**all**", whole)]:
        lines.append(f"| {name} | {taken} | {of} | {percent(taken, of)} | {ways} | {all_ways} | {percent(ways, all_ways)} |")
    return lines


def not_taken(files, reasons):
    """The page, and what has no reason."""
    faults, listed, half = [], [], []
    kinds = collections.Counter()
    for file in files:
        for block in file.blocks():
            why = reason_for(reasons, file, block)
            if why is None:
                faults.append(f"{file.name}:{block[0]}: no test takes it, and reasons.toml does not say why: {file.code(block[0])}")
            listed.append(f"| `{file.name}` | {cell(file.code(block[0]))} | {len(block)} | {why} |")
        for number, missing, total in file.half_taken():
            kind = kind_of(file.code(number), missing, total)
            kinds[kind] += missing
            half.append(f"| `{file.name}` | {cell(file.code(number))} | {missing} of {total} | {kind} |")
    faults += [f"reasons.toml: nothing needs the reason for {reason['code']} in {reason['files']}" for reason in reasons if "used" not in reason]
    page = ["# What the tests do not take", "", "Of `src/storage` and `backends`; `script/coverage --publish` writes this page, and reliability.md has the figures.", "",
            "## Lines that no test takes", "", "| file | first line | lines | why |", "|---|---|---|---|"] + listed
    page += ["", "## Conditions that do not come out in all ways", "", "| kind | ways | why |", "|---|---|---|"]
    page += [f"| {kind} | {kinds[kind]} | {why} |" for kind, why in KINDS.items()]
    page += ["", "| file | line | not taken | kind |", "|---|---|---|---|"] + half
    return page, faults


def main():
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    files = [File(file) for file in report["files"]]
    reasons = tomllib.loads((ROOT / "tests/coverage/reasons.toml").read_text())["reason"]
    page, faults = not_taken(files, reasons)
    if len(sys.argv) > 2:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        head = [f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, commit {commit}. [What is not taken, and why](not-taken.md).", ""]
        target = pathlib.Path(sys.argv[2])
        before, rest = target.read_text().split(BEGIN)
        target.write_text(before + BEGIN + "\n" + "\n".join(head + figures(files)) + "\n" + END + rest.split(END)[1])
        pathlib.Path(sys.argv[3]).write_text("\n".join(page) + "\n")
    print("\n".join(faults) or "every line that no test takes has its reason")
    return 1 if faults else 0


sys.exit(main())
