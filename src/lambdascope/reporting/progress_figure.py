"""Progress measures over training: restricted and excluded loss, and Gini coefficients."""

import pandas as pd
from matplotlib.figure import Figure

from lambdascope.reporting import style

_LOSSES = (
    ("train_loss", "train loss", style.TRAIN, "-"),
    ("test_loss", "test loss", style.TEST, (0, (4, 2))),
    ("restricted_test_loss", "restricted test loss", style.BLUE, "-"),
    ("excluded_train_loss", "excluded train loss", style.GREEN, (0, (1, 1))),
)
_GINIS = (
    ("gini_embedding", "embedding", style.PURPLE, "-"),
    ("gini_unembedding", "neurons to logits", style.BLACK, (0, (4, 2))),
)


def progress_figure(table: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Losses on a logarithmic axis above, Gini coefficients below.

    Args:
        table: a row for each checkpoint: `step`, `train_loss`, `test_loss`, `restricted_test_loss`,
            `excluded_train_loss` (nats), `gini_embedding`, `gini_unembedding` (dimensionless). NaN
            is left out.
        title: what the figure shows.
        caption: how it was made, in small type below.
    """
    figure = style.new_figure(9.0, 6.8)
    with style.styled():
        losses, ginis = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
        for axes, columns in ((losses, _LOSSES), (ginis, _GINIS)):
            for column, label, colour, dash in columns:
                known = table[table[column].notna()]
                if not known.empty:
                    axes.plot(
                        known["step"], known[column], color=colour, linestyle=dash, label=label
                    )
            style.grid_below(axes)
            axes.margins(x=0.02)
            axes.spines["right"].set_visible(False)
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1.2)
        losses.set_yscale("log")
        style.plain_numbers(losses.yaxis)
        losses.set_ylabel("Loss (nats)")
        ginis.set_ylim(0, 1)
        ginis.set_ylabel("Gini coefficient\n(1: one mode)")
        ginis.set_xlabel("Training step")
        style.whole_steps(ginis)
        style.title_and_caption(figure, title, caption)
    return figure
