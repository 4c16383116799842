#!/usr/bin/env python3
"""Prints what the peers of bench/run_peers said, one line of JSON for each case and peer, as a table."""
import json
import re
import sys


NAMES = {"cedar": "Cedar", "casbin": "Casbin", "opa": "OPA", "grpc": "gRPC"}


def duration(ns):
    if ns < 1e3:
        return f"{ns:.0f} ns"
    value, unit = (ns / 1e3, "µs") if ns < 1e6 else (ns / 1e6, "ms")
    return f"{value:.3g} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def times_as_long(ratio):
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def order(case):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", case)]


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    times = {(row["case"], row["peer"]): row["ns"] for row in rows}
    names = {row["peer"]: f'{NAMES.get(row["peer"], row["peer"])} {row["version"].removeprefix("v")}'.strip() for row in rows}
    names.pop("reeve", None)
    print("| case | Reeve |" + "".join(f" {name} |" for name in names.values()))
    print("| --- | --: |" + " --: |" * len(names))
    for case in sorted({row["case"] for row in rows}, key=order):
        reeve = times.get((case, "reeve"))
        cells = [duration(reeve) if reeve else "–"]
        for peer in names:
            ns = times.get((case, peer))
            if ns is None:
                cells.append("–")
            else:
                cells.append(duration(ns) + (f" ({times_as_long(ns / reeve)} ×)" if reeve else ""))
        print(f"| {case} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
