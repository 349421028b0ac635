"""`lambdascope fourier`: how a run's Fourier modes develop, as tables, figures and a film."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from lambdascope.commands.command_lines import arguments_of
from lambdascope.commands.fourier_config import FourierConfig
from lambdascope.commands.systems import LoadedRun, check_finished, load_run
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.circuit_null import SMALLEST_P
from lambdascope.modular_addition.circuits import find_circuits
from lambdascope.modular_addition.development import (
    ModeDevelopment,
    mode_development,
    progress_measures,
)
from lambdascope.modular_addition.maps import token_maps
from lambdascope.modular_addition.modes import mode_coordinates, mode_mask
from lambdascope.reporting.film import check_film, film_bytes
from lambdascope.reporting.mode_picture import MOST_PANELS, ModePicture, picture_limit
from lambdascope.reporting.modes_figure import ablation_figure, magnitudes_figure
from lambdascope.reporting.progress_figure import progress_figure
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes, check_writable, remove_file, remove_files
from lambdascope.runs.history import record_command
from lambdascope.runs.settings import contents, rewritten, stands
from lambdascope.runs.tables import write_table
from lambdascope.wording import number

_MODES, _PROGRESS = "modes.csv", "progress.csv"
_PROGRESS_NOTE = (
    "restricted: logits cut to the constant and cos, sin of w(a+b) of the key modes · excluded: "
    "those removed, the constant kept"
)
_NO_PROGRESS_NOTE = "restricted and excluded loss need key modes, and are left out"


@dataclass(frozen=True)
class FourierResult:
    """What the command found and where it is.

    Attributes:
        modes: A row for each checkpoint and mode, as in modes.csv.
        progress: A row for each checkpoint, as in progress.csv; restricted and excluded losses are
            NaN where there are no key modes.
        key_modes: Numbers of the key modes, the most important first.
        whence: Where they come from, or why there are none.
        paths: Files written.
        rewritten: What became of results of these settings that stood, in a sentence; or empty.
    """

    modes: pd.DataFrame
    progress: pd.DataFrame
    key_modes: list[int]
    whence: str
    paths: list[Path]
    rewritten: str


def fourier(
    run: Path, config: FourierConfig, *, overwrite: bool = False, progress: bool = True
) -> FourierResult:
    """Measure and draw every mode at every checkpoint of a run.

    All that is written follows from the run and the key modes: given again, the same call writes
    the same.

    Args:
        run: A run directory.
        config: Key modes and film.
        overwrite: Replace results with other key modes.
        progress: Show a progress bar while a film is made.

    Returns:
        The tables. Written are modes.csv, progress.csv and, under figures/, modes_magnitude.png,
        modes_ablation.png, modes_picture.png, modes_progress.png and the film.

    Raises:
        LambdascopeError: The run cannot be read or is not finished, a key mode does not exist, the
            directory holds results with other key modes, or the film needs an extra that is not
            installed.
    """
    if config.film is not None:
        check_film(config.film)
    loaded = load_run(run)
    check_finished(loaded)
    check_writable(loaded.directory.path)
    keys = _key_modes(loaded, config)
    table_path = loaded.directory.path / _PROGRESS
    settings = _settings(config)
    is_new = not stands(table_path, settings, overwrite=overwrite)
    weights = loaded.stacked_weights()
    network, p = loaded.network(), loaded.config.p
    development = mode_development(network, weights, loaded.data, progress=progress)
    modes = _modes_table(development, loaded.steps)
    measures = progress_measures(network, weights, loaded.data, keys)
    table = _progress_table(loaded, development, vars(measures), keys).assign(**settings)
    named = keys or _largest(modes, 3)
    whence = _whence(config, keys, p)
    note = whence if keys else f"{whence}: the largest modes are named"
    positions = _positions(weights, loaded.steps)
    figures = loaded.directory.figures
    # Of a run on all pairs there is no test loss.
    data = "test" if table["test_loss"].notna().any() else "train"
    drawn = {
        "modes_magnitude.png": magnitudes_figure(
            modes,
            named,
            title="Fourier modes of the embedding over training",
            caption=f"magnitude √(‖Σ cos·E‖² + ‖Σ sin·E‖²) of each mode · {note}",
        ),
        "modes_ablation.png": ablation_figure(
            modes,
            table,
            named,
            chance=math.log(p),
            data=data,
            title=f"{data.capitalize()} loss with one mode kept, or removed",
            caption=f"in token space, the mean over tokens kept · dashed: the whole network · "
            f"dotted: guessing, ln {p} = {math.log(p):.2f} · grey: other modes · {note}",
        ),
        "modes_progress.png": progress_figure(
            table,
            title="Progress measures over training"
            if keys
            else "Losses and Gini coefficients over training",
            caption=f"{_PROGRESS_NOTE if keys else _NO_PROGRESS_NOTE} · {whence}",
        ),
    }
    paths = [loaded.directory.path / _MODES, table_path]
    tables, before = list(paths), contents(paths)
    if is_new:  # it holds the settings and comes last: until then, they are open
        remove_file(table_path)
        remove_files(figures, "modes_*")  # of other key modes; a film is not made every time
    for name, figure in drawn.items():
        paths.append(figures / name)
        atomic_write_bytes(paths[-1], png_bytes(figure))
    picture = _picture(modes, positions, keys, p)
    paths.append(figures / "modes_picture.png")
    atomic_write_bytes(paths[-1], png_bytes(_frame(picture, modes, positions, loaded.steps[-1])))
    if config.film is not None:
        paths.append(figures / f"modes_over_training.{config.film}")
        frames = (_frame(picture, modes, positions, step) for step in loaded.steps)
        film = film_bytes(frames, config.film, num_frames=len(loaded.steps), progress=progress)
        atomic_write_bytes(paths[-1], film)
    write_table(paths[0], modes)
    write_table(paths[1], table)
    record_command(loaded.directory.path, "fourier", arguments_of(config))
    said = "" if is_new else rewritten(before, contents(tables))
    return FourierResult(modes, table, keys, whence, paths, said)


def print_result(result: FourierResult) -> None:
    """The key modes, the measures at the end, and where everything is, on standard output."""
    last = result.progress.iloc[-1]
    test = "" if math.isnan(last.test_loss) else f"test loss {number(last.test_loss)}, "
    if result.key_modes:
        restricted = f"restricted to the key modes {number(last.restricted_test_loss)}; "
        print(f"Key modes: {', '.join(map(str, result.key_modes))}.")
        print(
            f"At step {last.step:,.0f}: {test}{restricted if test else ''}train loss "
            f"{number(last.train_loss)}, without the key modes {number(last.excluded_train_loss)}; "
            f"Gini coefficient of the embedding {last.gini_embedding:.2f}.\n"
        )
    else:
        print(
            f"Key modes: none, for {result.whence}. Restricted and excluded loss have no meaning "
            "so, and are left out."
        )
        print(
            f"At step {last.step:,.0f}: {test}train loss {number(last.train_loss)}; Gini "
            f"coefficient of the embedding {last.gini_embedding:.2f}.\n"
        )
    if result.rewritten:
        print(f"{result.rewritten}\n")
    for path in result.paths:
        print(path)


def _settings(config: FourierConfig) -> dict[str, str]:
    """The settings that decide the numbers, as columns of the table."""
    asked = config.key_modes
    return {"key_modes_asked": "found" if asked is None else " ".join(map(str, asked))}


def _key_modes(loaded: LoadedRun, config: FourierConfig) -> list[int]:
    """The key modes as given, or the circuits of the last checkpoint, the strongest first."""
    if config.key_modes is not None:
        try:
            mode_mask(loaded.config.p, config.key_modes)
        except LambdascopeError as error:
            given = ",".join(map(str, config.key_modes))
            raise LambdascopeError(f"key_modes={given}: {str(error).partition(': ')[2]}") from None
        return list(config.key_modes)
    if loaded.config.p < SMALLEST_P:
        return []
    network = loaded.network_at(len(loaded.steps) - 1)
    return list(find_circuits(network).frequencies)


def _modes_table(development: ModeDevelopment, steps: list[int]) -> pd.DataFrame:
    some = development.magnitudes["embedding"]
    checkpoint, mode = np.indices(some.shape)
    columns = {
        "checkpoint": checkpoint,
        "step": np.array(steps)[checkpoint],
        "mode": mode + 1,
        **{f"magnitude_{name}": values for name, values in development.magnitudes.items()},
        **{
            f"{what}_{name}": values
            for what in ("kept", "removed", "kept_span", "removed_span")
            for name, values in vars(getattr(development, what)).items()
            if name.endswith("loss")
        },
    }
    return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})


def _progress_table(
    loaded: LoadedRun,
    development: ModeDevelopment,
    measures: Mapping[str, Tensor],
    keys: list[int],
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "checkpoint": range(len(loaded.steps)),
            "step": loaded.steps,
            "train_loss": development.whole.train_loss.numpy(),
            "test_loss": development.whole.test_loss.numpy(),
            **{name: values.numpy() for name, values in measures.items()},
            "key_modes": " ".join(map(str, keys)),
        }
    )
    if not keys:
        # Restricted to no mode the logits are a constant, and without none they are as they were.
        cut = [name for name in table if name.startswith(("restricted_", "excluded_"))]
        table[cut] = math.nan
    return table


def _positions(weights: Mapping[str, Tensor], steps: list[int]) -> pd.DataFrame:
    """Cosine and sine part of every token in every mode: a row for each, at each step."""
    coordinates = mode_coordinates(token_maps(weights)["embedding"])[:, 1:].numpy()
    checkpoint, mode, token = np.indices(coordinates.shape[:3]).reshape(3, -1)
    cosine, sine = coordinates.reshape(-1, 2).T
    return pd.DataFrame(
        {
            "step": np.array(steps)[checkpoint],
            "mode": mode + 1,
            "token": token,
            "cosine": cosine,
            "sine": sine,
        }
    )


def _largest(modes: pd.DataFrame, count: int) -> list[int]:
    last = modes[modes["checkpoint"] == modes["checkpoint"].max()]
    return last.nlargest(count, "magnitude_embedding")["mode"].tolist()


def _picture(modes: pd.DataFrame, positions: pd.DataFrame, keys: list[int], p: int) -> ModePicture:
    shown = sorted(_largest(modes, MOST_PANELS))
    which = f"the {len(shown)} largest of {p // 2} modes" if len(shown) < p // 2 else "all modes"
    bold = " · bold: key modes" if keys else ""
    return ModePicture(
        shown,
        keys,
        p=p,
        limit=picture_limit(positions[positions["mode"].isin(shown)]),
        caption=f"{which} at the end · each point a token t, projected onto the plane of the "
        f"mode's cosine and sine vectors{bold} · all panels have one scale · a weak mode is wide, "
        "its colours mixed, where its plane lies along a stronger one's",
    )


def _frame(picture: ModePicture, modes: pd.DataFrame, positions: pd.DataFrame, step: int) -> Figure:
    magnitudes = modes[modes["step"] == step].set_index("mode")["magnitude_embedding"]
    return picture.show(
        positions[positions["step"] == step],
        magnitudes,
        f"Tokens in the embedding's Fourier modes, step {step:,}",
    )


def _whence(config: FourierConfig, keys: list[int], p: int) -> str:
    """Where the key modes come from, or why there are none."""
    if config.key_modes is not None:
        return "key modes as given"
    if keys:
        return "key modes: the circuits found at the end"
    if p < SMALLEST_P:
        return f"at p = {p} no circuit can be told from noise"
    return "no circuit was found at the end"
