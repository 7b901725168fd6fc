"""The figures of a run of script/nightly as Markdown: printed, or put between the marks of a page.

figures.py DIRECTORY [PAGE]: DIRECTORY holds `stages` (name, exit code, seconds), NAME.xml of ctest, NAME.log of the rest."""
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as tree

BEGIN, END = "<!-- nightly: begin -->", "<!-- nightly: end -->"
directory = pathlib.Path(sys.argv[1])


def told(output):
    """The figures that a test told: doctest's messages, and lines that say how much was done."""
    lines = [match.strip() for match in re.findall(r"MESSAGE: (.+)", output or "")]
    lines += re.findall(r"^(?:\d[\d,]* [a-z].*|figures?: .+)$", output or "", re.M)
    for run in map(json.loads, re.findall(r'^\{"harness".*\}$', output or "", re.M)):
        lines.append("{states:,} states of {histories:,} histories, {cuts:,} cuts, {second_crashes:,} second crashes, "
                     "{compactions:,} compactions, {wrong:,} wrong".format(**run))
    return "; ".join(dict.fromkeys(lines))[:600].replace("|", "/")


def rows():
    for line in (directory / "stages").read_text().splitlines():
        stage, code, seconds = line.split()
        report = directory / f"{stage}.xml"
        if not report.exists():
            log = directory / f"{stage}.log"
            last = [text for text in log.read_text(errors="replace").splitlines() if text.strip()][-1:] if log.exists() else []
            yield stage, "", "passed" if code == "0" else "FAILED", seconds, " ".join(last)[:300].replace("|", "/")
            continue
        for case in tree.parse(report).getroot().findall("testcase"):
            good = {"run": "passed", "notrun": "skipped", "disabled": "skipped"}.get(case.get("status"), "FAILED")
            output = case.findtext("system-out")
            if "skipped:" in (output or ""):
                good += ", part skipped"
            yield stage, case.get("name"), good, f"{float(case.get('time', 0)):.0f}", told(output)


def git(*words):
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()


lines = [
    f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {git('rev-parse', '--short', 'HEAD')}"
    + (" with local changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    + f", seed {os.environ.get('SESSILE_SEED', '?')}, {platform.system()} {platform.release()}, {os.cpu_count()} cores.",
    "",
    "| build or stage | test | result | seconds | figures |",
    "|---|---|---|---|---|",
]
lines += ["| " + " | ".join(row) + " |" for row in rows()]
text = "\n".join(lines)
if len(sys.argv) < 3:
    print(text)
else:
    page = pathlib.Path(sys.argv[2])
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
