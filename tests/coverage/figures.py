"""The figures of a run of script/nightly as Markdown: printed, or put between the marks of a page.

figures.py DIRECTORY [PAGE]: DIRECTORY holds `stages` (name, exit code, seconds, commit, time, seed), NAME.xml of ctest, NAME.log of
the rest."""
import json
import os
import pathlib
import platform
import re
import sys
import xml.etree.ElementTree as tree

BEGIN, END = "<!-- nightly: begin -->", "<!-- nightly: end -->"
directory = pathlib.Path(sys.argv[1])


def told(output):
    """The figures that a test told: doctest's messages, and lines that say how much was done."""
    lines = [match.strip() for match in re.findall(r"MESSAGE: (.+)", output or "")]
    lines += re.findall(r"^(?:\d[\d,]* [a-z].*|figures?: .+)$", output or "", re.M)
    for run in map(json.loads, re.findall(r'^\{"harness".*\}$', output or "", re.M)):
        # What an earlier version told lacks it.
        sampled = " ({sampled_cuts:,} of them by a sample of {states_of_a_cut} states)" if "sampled_cuts" in run else ""
        lines.append(("{states:,} states of {histories:,} histories, {cuts:,} cuts" + sampled + ", {second_crashes:,} second crashes, "
                      "{compactions:,} compactions, {wrong:,} wrong").format(**run))
    return "; ".join(dict.fromkeys(lines))[:600].replace("|", "/")


def results(stage, code, seconds):
    """A row for each test of a stage, or one for a stage that has a log only."""
    report, log = directory / f"{stage}.xml", directory / f"{stage}.log"
    if not report.exists():
        last = [text for text in log.read_text(errors="replace").splitlines() if text.strip()][-1:] if log.exists() else []
        yield stage, "", "passed" if code == "0" else "**FAILED**", seconds, " ".join(last)[:300].replace("|", "/")
        return
    for case in tree.parse(report).getroot().findall("testcase"):
        good = {"run": "passed", "notrun": "skipped", "disabled": "skipped"}.get(case.get("status"), "**FAILED**")
        output = case.findtext("system-out")
        if "skipped:" in (output or ""):
            good += ", part skipped"
        yield stage, case.get("name"), good, f"{float(case.get('time', 0)):.0f}", told(output)


lines = [f"{platform.system()} {platform.release()}, {os.cpu_count()} cores. The stages, each when it last ran:", ""]
table = ["| build or stage | test | result | seconds | figures |", "|---|---|---|---|---|"]
for entry in (directory / "stages").read_text().splitlines():
    stage, code, seconds, commit, ended, seed = entry.split()
    outcome = "passed" if code == "0" else "**failed**"
    lines.append(f"- {stage}: {outcome}, ended {ended.replace('T', ' ')} UTC after {seconds} s, commit {commit}, seed {seed}")
    table += ["| " + " | ".join(row) + " |" for row in results(stage, code, seconds)]
lines += [""] + table
text = "\n".join(lines)
if len(sys.argv) < 3:
    print(text)
else:
    page = pathlib.Path(sys.argv[2])
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
