"""What a table of estimates says, in words."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lambdascope.wording import NORMAL_95, SOUND_STATI, number, with_error

_FEWEST_CONVERGED = 3
"""With fewer, a curve can't be told from them, and the others are read too, as what they are."""

_PLACES_NAMED = 6


@dataclass(frozen=True)
class _Reading:
    """What is read off a table.

    Attributes:
        shape: none, point, flat, rise, fall or peak.
        first: Row of the first checkpoint read; likewise `peak`, the highest, and `last`.
        left_out: Rows that say nothing: no estimate there, or none that is believed.
        doubted: Whether rows are read that have not converged, for want of others.
        num_converged: Rows that have.
        num_rows: All rows.
    """

    shape: str
    first: Any
    peak: Any
    last: Any
    left_out: pd.DataFrame
    doubted: bool
    num_converged: int
    num_rows: int

    @property
    def higher(self) -> Any:
        """The highest row left out, if it is above all that are read; else None."""
        known = self.left_out[self.left_out["llc"].notna()]
        if known.empty or known["llc"].max() <= self.peak.llc:
            return None
        return known.loc[known["llc"].idxmax()]


def llc_headline(table: pd.DataFrame) -> str:
    """The curve's shape in a few words, for the title of a figure.

    Args:
        table: As `llc_finding`.
    """
    shape = llc_shape(table)
    if not shape:
        return "No chain gave an estimate of λ̂"
    return f"Learning coefficient λ̂{_of_what(table, alone='')} {shape}"


def llc_shape(table: pd.DataFrame) -> str:
    """What λ̂ does, as a clause without its subject; empty where there is no estimate.

    Args:
        table: As `llc_finding`; losses are not read.
    """
    read = _read(table)
    if read.shape == "none":
        return ""
    said = _moves(read, *(number(row.llc) for row in (read.first, read.peak, read.last)))
    if read.doubted:
        if read.num_rows == 1:
            return f"{said} ({read.last.status})"
        return f"{said} ({read.num_converged} of {read.num_rows} checkpoints converged)"
    hedges = []
    if read.higher is not None:
        hedges.append("higher where not converged")
    if (read.left_out["step"] < read.first.step).any():
        hedges.append(f"not converged before step {read.first.step:,.0f}")
    if (read.left_out["step"] > read.last.step).any():
        hedges.append(f"not converged after step {read.last.step:,.0f}")
    return "; ".join([said, *hedges])


def llc_clause(table: pd.DataFrame) -> str:
    """What λ̂ does, with 95 % intervals, as part of a sentence that goes on to say what converged.

    Args:
        table: As `llc_finding`; losses are not read.
    """
    read = _read(table)
    if read.shape == "none":
        return "no chain gave an estimate of λ̂"
    rows = (read.first, read.peak, read.last)
    said = _moves(read, *(with_error(row.llc, NORMAL_95 * row.llc_stderr) for row in rows))
    higher = "" if read.higher is None else " (higher where not converged)"
    return f"λ̂{_of_what(table, alone=' alone')} {said}{higher}"


def llc_finding(table: pd.DataFrame) -> str:
    """How λ̂ moved over training, with 95 % intervals, in a sentence or a few.

    The curve is read off the checkpoints that have converged; the others are named as left out.
    Where fewer than three have, all are read, and each is called what it is.

    Args:
        table: One row a checkpoint, in the order of training: `step`, `llc`, `llc_stderr`,
            `train_loss`, `test_loss`, `status`. λ̂ is dimensionless, losses are in nats; NaN where a
            checkpoint has no estimate. Of the columns of llc.csv, `parameters` and `sampler` are
            read if they are there.
    """
    read = _read(table)
    if read.shape == "none":
        return "No chain gave an estimate: every one of them diverged, or none was long enough."
    rows = (read.first, read.peak, read.last)
    first, peak, last = ("λ̂ = " + with_error(row.llc, NORMAL_95 * row.llc_stderr) for row in rows)
    at_first, at_peak, at_last = (f"at step {row.step:,.0f}" for row in rows)
    of = _of_what(table, alone=" alone")
    if read.shape == "point":
        said = f"{last}{of} {at_last} ({_about(read.last, read.doubted)}); "
    else:
        begun = f" ({read.first.status})" if read.doubted and _doubtful(read.first) else ""
        said = f"From {first} {at_first}{begun} the coefficient{of} "
        if read.shape == "peak":
            said += (
                f"rises to a peak of {peak} {at_peak} ({_about(read.peak, read.doubted)}) and "
                f"falls to {last} {at_last} ({_about(read.last, read.doubted)}); "
            )
        else:
            verb = {"flat": "stays level, to", "rise": "rises to", "fall": "falls to"}[read.shape]
            said += f"{verb} {last} {at_last} ({_about(read.last, read.doubted)}); "
    return said + " ".join([_interval_note(table, read), *_left_out(read)])


def _moves(read: _Reading, first: str, peak: str, last: str) -> str:
    """The curve's shape, with the values as they are to be written."""
    step, end = f"{read.peak.step:,.0f}", f"{read.last.step:,.0f}"
    return {
        "point": f"is {last} at step {end}",
        "flat": f"stays near {last} to step {end}",
        "rise": f"rises from {first} to {last}",
        "fall": f"falls from {first} to {last}",
        "peak": f"peaks at {peak} (step {step}), then falls to {last}",
    }[read.shape]


def _read(table: pd.DataFrame) -> _Reading:
    """What kind of curve it is, and its first, highest and last row.

    A peak is called one only if it stands out from both ends by more than the intervals there.
    """
    known = table[table["llc"].notna()]
    sound = known[known["status"].isin(SOUND_STATI)]
    believed = sound if len(sound) >= _FEWEST_CONVERGED else known
    left_out = table.loc[table.index.difference(believed.index)]
    shape, first, peak, last = "none", None, None, None
    if not believed.empty:
        first, last = believed.iloc[0], believed.iloc[-1]
        peak = believed.loc[believed["llc"].idxmax()]
        shape = _shape(first, peak, last) if len(believed) > 1 else "point"
    return _Reading(
        shape,
        first,
        peak,
        last,
        left_out=left_out,
        doubted=len(sound) < len(believed),
        num_converged=int((known["status"] == "converged").sum()),
        num_rows=len(table),
    )


def _shape(first: pd.Series, peak: pd.Series, last: pd.Series) -> str:
    if _apart(peak, first) and _apart(peak, last):
        return "peak"
    if not _apart(first, last):
        return "flat"
    return "rise" if last.llc > first.llc else "fall"


def _apart(one: pd.Series, other: pd.Series) -> bool:
    errors = [0.0 if math.isnan(row.llc_stderr) else row.llc_stderr for row in (one, other)]
    return abs(one.llc - other.llc) > NORMAL_95 * math.hypot(*errors)


def _about(row: pd.Series, doubted: bool) -> str:
    """The losses at a checkpoint, and its status where that is no matter of course."""
    parts = [f"{row.status}"] if doubted and _doubtful(row) else []
    parts.append(f"train loss {number(row.train_loss)}")
    if not math.isnan(row.test_loss):
        parts.append(f"test loss {number(row.test_loss)}")
    return ", ".join(parts)


def _doubtful(row: pd.Series) -> bool:
    return str(row.status) not in SOUND_STATI


def _of_what(table: pd.DataFrame, alone: str) -> str:
    """The parameters that moved, if they were not all."""
    if "parameters" not in table or table["parameters"].iloc[0] == "all":
        return ""
    return f" of {table['parameters'].iloc[0].replace(',', ', ')}{alone}"


def _interval_note(table: pd.DataFrame, read: _Reading) -> str:
    intervals = "a 95 % interval" if read.shape == "point" else "95 % intervals"
    plain = "sampler" in table and table["sampler"].iloc[0] != "automatic"
    of = ", of the sampling error alone" if plain else ""
    trust = ", not to be relied on until the chains converge" if read.doubted else ""
    return f"± gives {intervals}{of}{trust}."


def _left_out(read: _Reading) -> list[str]:
    """Sentences on the checkpoints that were not read."""
    sentences = []
    if len(read.left_out):
        parts = [
            f"{status} at {places(rows['step'])}"
            for status, rows in read.left_out.groupby("status", sort=False)
        ]
        sentences.append(
            f"Left out: {len(read.left_out)} of {read.num_rows} checkpoints ({'; '.join(parts)})."
        )
    if read.higher is not None:
        sentences.append(
            f"The highest of those, {number(read.higher.llc)} at step {read.higher.step:,.0f}, is "
            "above the rest."
        )
    return sentences


def places(steps: pd.Series) -> str:
    """Such as "steps 438, 500, 625"; of more than six, the first six and how many more.

    Args:
        steps: Of checkpoints.
    """
    shown = ", ".join(f"{step:,.0f}" for step in steps[:_PLACES_NAMED])
    rest = len(steps) - _PLACES_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"step{'s' if len(steps) > 1 else ''} {shown}{more}"
