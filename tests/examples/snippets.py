"""Checks that code quoted in the documents is the code that is compiled.

A fenced block that follows a line `<!-- source: PATH -->` must be that file; with `#NAME` after the path, the part of it
between the lines `// [NAME]` and `// [/NAME]`. A block of C++ without such a line is a failure, but for those after a
`<!-- region: NAME -->`, which the tests of the tiny backend compare.
"""
import pathlib
import re
import sys
import textwrap

root = pathlib.Path(sys.argv[1])
pattern = re.compile(r"<!-- source: (\S+?)(?:#(\S+))? -->\n+```\w*\n(.*?)```", re.S)
unsourced = re.compile(r"(?<! -->\n)```cpp\n(.*)")
failures = checked = 0
for page in [root / "README.md", *sorted(root.glob("docs/*.md")), *sorted(root.glob("backends/*/README.md"))]:
    for first_line in unsourced.findall(page.read_text()):
        failures += 1
        print(f"{page.relative_to(root)}: no source is named for the block that begins: {first_line}")
    for path, region, quoted in pattern.findall(page.read_text()):
        source = (root / path).read_text()
        if region:
            part = re.search(rf"// \[{region}\]\n(.*?)[ \t]*// \[/{region}\]", source, re.S)
            source = textwrap.dedent(part.group(1)) if part else ""
        checked += 1
        if source.strip() != quoted.strip():
            failures += 1
            print(f"{page.relative_to(root)}: the block from {path} is not what the file says")
print(f"{checked} quoted blocks checked")
sys.exit(1 if failures or not checked else 0)
