"""Turns the benchmark's JSON lines into one table: a row a workload, a column a backend."""
import json
import sys

cells, workloads, backends = {}, [], []
for line in sys.stdin:
    run = json.loads(line)
    workload, backend = run["workload"], run["store"].split(":")[0]
    for names, name in ((workloads, workload), (backends, backend)):
        if name not in names:
            names.append(name)
    failed = f", {run['failed']} failed" if run["failed"] else ""
    cells[workload, backend] = f"{run['ops_per_s']:,.0f}/s, 99 % in {run['p99_us'] / 1000:.2f} ms{failed}"

width = max((len(text) for text in cells.values()), default=10) + 2
print("".ljust(10) + "".join(f"{backend}:".ljust(width) for backend in backends))
for workload in workloads:
    print(workload.ljust(10) + "".join(cells.get((workload, backend), "-").ljust(width) for backend in backends))
