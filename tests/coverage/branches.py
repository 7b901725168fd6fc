"""Puts the branch figures of script/coverage, a row a file, between the marks of a page.

branches.py SUMMARY.json PAGE"""
import datetime
import json
import pathlib
import subprocess
import sys

BEGIN, END = "<!-- branches: begin -->", "<!-- branches: end -->"
summary = json.loads(pathlib.Path(sys.argv[1]).read_text())
commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def row(name, counts):
    total, covered = counts["branch_total"], counts["branch_covered"]
    return f"| {name} | {covered} | {total} | {100 * covered / total if total else 100:.1f} % |"


lines = [
    f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, commit {commit}, gcovr {summary.get('gcovr/summary_format_version', '')}.".replace(", gcovr .", "."),
    "",
    "| file | branches taken | of | |",
    "|---|---|---|---|",
]
lines += [row(f"`{file['filename']}`", file) for file in summary["files"] if file["branch_total"]]
lines.append(row("**all**", summary))
page = pathlib.Path(sys.argv[2])
before, rest = page.read_text().split(BEGIN)
page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1])
