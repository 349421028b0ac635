"""From timed segments to medians, ratios and a printed table."""

from __future__ import annotations

import statistics
from typing import Any

Segments = dict[str, list[dict[str, Any]]]


def spread(values: list[float]) -> dict[str, Any]:
    """Median, extremes and all values, in the unit they came in."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "all": values,
    }


def llc_of(reply: dict[str, Any]) -> dict[str, Any]:
    """Mean λ̂ over chains and its standard error from their spread alone."""
    per_chain = reply["llc"]
    stderr = None
    if len(per_chain) > 1:
        stderr = statistics.stdev(per_chain) / len(per_chain) ** 0.5
    return {
        "mean": statistics.fmean(per_chain),
        "stderr": stderr,
        "num_chains": len(per_chain),
        "num_steps": reply["num_steps"],
    }


def ratios(baseline: str, segments: Segments) -> dict[str, Any]:
    """How many times longer each row takes than the baseline, round by round.

    Both figures of a ratio come from one round, so a disturbance that lasts longer than a round
    cancels.
    """
    base = segments[baseline]
    return {
        f"{name} / {baseline}": spread(
            [
                one["us_per_chain_step"] / other["us_per_chain_step"]
                for one, other in zip(rounds, base, strict=True)
            ]
        )
        for name, rounds in segments.items()
        if rounds and name != baseline
    }


def print_report(result: dict[str, Any]) -> None:
    """Print the table in Markdown, then start-up and memory where they were measured."""
    baseline = next(iter(result["ratios"])).partition(" / ")[2] if result["ratios"] else ""
    print(
        "\n| | µs a chain-step (median, min–max) | times ours | λ̂ at the last checkpoint "
        "| s before the first step |"
    )
    print("|---|---:|---:|---:|---:|")
    for row in result["rows"]:
        ratio = result["ratios"].get(f"{row['name']} / {baseline}")
        times = f"{ratio['median']:.1f}" if ratio else "1" if row["name"] == baseline else ""
        startup = f"{row['startup_seconds']['median']:.1f}" if "startup_seconds" in row else ""
        print(f"| {row['label']} | {_time(row)} | {times} | {_llc(row)} | {startup} |")
    if "startup" in result:
        print()
        for name, value in result["startup"].items():
            seconds = value if isinstance(value, float) else value["compile_seconds"]
            print(f"{name.replace('_', ' ')}: {seconds:.2f} s")
    for one in result.get("memory", []):
        before = one["peak_before_sampling_mib"]
        print(f"{one['num_chains']:,} chains: peak {one['peak_mib']:.0f} MiB ({before:.0f} before)")


def _time(row: dict[str, Any]) -> str:
    if row["status"] != "measured":
        return row["status"]
    time = row["us_per_chain_step"]
    return f"{time['median']:.1f} ({time['min']:.1f}–{time['max']:.1f})"


def _llc(row: dict[str, Any]) -> str:
    llc = row.get("llc")
    if llc is None:
        return ""
    stderr = "" if llc["stderr"] is None else f" ± {llc['stderr']:.0f}"
    return f"{llc['mean']:.0f}{stderr}"
