"""What a table of estimates says, in words."""

import math

import pandas as pd

INTERVAL = 1.96
"""Standard errors on either side of λ̂ that make a 95 % interval."""


def number(value: float) -> str:
    """A value at the precision that a reader can use: 592, 48.1, 0.62, 0.026."""
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or size == 0 else f"{value:.2g}"


def with_error(value: float, error: float) -> str:
    """A value and its error at the precision of the error's two leading digits: 88.0 ± 5.3."""
    if not math.isfinite(error) or error <= 0:
        return f"{number(value)} ± {number(error)}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"


def llc_headline(table: pd.DataFrame) -> str:
    """The curve's shape in a few words, for the title of a figure.

    Args:
        table: As `llc_finding`.
    """
    shape, rows = _shape(table)
    if shape == "none":
        return "No chain gave an estimate of λ̂"
    first, peak, last = (number(row.llc) for row in rows)
    step, end = f"{rows[1].step:,.0f}", f"{rows[2].step:,.0f}"
    return {
        "point": f"Learning coefficient λ̂ = {last} at step {end}",
        "flat": f"Learning coefficient λ̂ stays near {last} to step {end}",
        "rise": f"Learning coefficient λ̂ rises from {first} to {last}",
        "fall": f"Learning coefficient λ̂ falls from {first} to {last}",
        "peak": f"Learning coefficient λ̂ peaks at {peak} (step {step}), then falls to {last}",
    }[shape]


def llc_finding(table: pd.DataFrame) -> str:
    """One sentence on how λ̂ moved over training, with 95 % intervals.

    Args:
        table: One row a checkpoint, in the order of training: `step`, `llc`, `llc_stderr`,
            `train_loss`, `test_loss`. λ̂ is dimensionless, losses are in nats; NaN where a
            checkpoint has no estimate.
    """
    shape, rows = _shape(table)
    if shape == "none":
        return "No chain gave an estimate: every one of them diverged, or none was long enough."
    first, peak, last = ("λ̂ = " + with_error(row.llc, INTERVAL * row.llc_stderr) for row in rows)
    at_first, at_peak, at_last = (f"at step {row.step:,.0f}" for row in rows)
    if shape == "point":
        return f"{last} {at_last} ({_losses(rows[2])}); ± gives a 95 % interval."
    if shape == "peak":
        return (
            f"From {first} {at_first} the coefficient rises to a peak of {peak} {at_peak} "
            f"({_losses(rows[1])}) and falls to {last} {at_last} ({_losses(rows[2])}); "
            "± gives 95 % intervals."
        )
    verb = {"flat": "stays level, to", "rise": "rises to", "fall": "falls to"}[shape]
    return (
        f"From {first} {at_first} the coefficient {verb} {last} {at_last} ({_losses(rows[2])}); "
        "± gives 95 % intervals."
    )


def _shape(table: pd.DataFrame) -> tuple[str, list]:
    """What kind of curve it is, and its first, highest and last row.

    A peak is called one only if it stands out from both ends by more than the intervals there.
    """
    known = table[table["llc"].notna()]
    if known.empty:
        return "none", []
    rows = [known.iloc[0], known.loc[known["llc"].idxmax()], known.iloc[-1]]
    first, peak, last = rows
    if len(known) == 1:
        return "point", rows
    if _apart(peak, first) and _apart(peak, last):
        return "peak", rows
    if not _apart(first, last):
        return "flat", rows
    return ("rise" if last.llc > first.llc else "fall"), rows


def _apart(one: pd.Series, other: pd.Series) -> bool:
    errors = [0.0 if math.isnan(row.llc_stderr) else row.llc_stderr for row in (one, other)]
    return abs(one.llc - other.llc) > INTERVAL * math.hypot(*errors)


def _losses(row: pd.Series) -> str:
    train = f"train loss {number(row.train_loss)}"
    if math.isnan(row.test_loss):
        return train
    return f"{train}, test loss {number(row.test_loss)}"
