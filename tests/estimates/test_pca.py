import numpy as np
import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.estimates import principal_components


def points(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * np.linspace(3, 0.1, shape[-1])


@pytest.mark.parametrize("shape", [(50, 7), (6, 40), (3, 20, 7), (2, 4, 100)])
def test_it_is_the_singular_value_decomposition_of_all_points_together(shape):
    given = points(*shape) + 5.0
    found = principal_components(given, 3)
    flat = given.reshape(-1, shape[-1])
    centred = flat - flat.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found.mean, flat.mean(0))
    np.testing.assert_allclose(found.explained, (sizes**2 / (sizes**2).sum())[:3], rtol=1e-8)
    same = np.abs(np.sum(found.directions * directions[:3], axis=1))
    np.testing.assert_allclose(same, 1.0, rtol=1e-8)
    assert found.coordinates.shape == (*shape[:-1], 3)
    np.testing.assert_allclose(
        found.coordinates.reshape(-1, 3), centred @ found.directions.T, atol=1e-10
    )
    # The sign is fixed by the largest entry.
    assert (found.directions[np.arange(3), np.abs(found.directions).argmax(1)] > 0).all()


def test_a_plane_in_many_dimensions_is_found_whole():
    flat = points(30, 2)
    frame = np.linalg.qr(points(50, 2, seed=1))[0]
    found = principal_components(flat @ frame.T + 1.0, 3)
    assert found.explained[:2].sum() == pytest.approx(1.0)
    assert found.explained[2] == 0
    np.testing.assert_array_equal(found.directions[2], 0)
    rebuilt = found.coordinates @ found.directions + found.mean
    np.testing.assert_allclose(rebuilt, flat @ frame.T + 1.0, atol=1e-10)


def test_half_precision_is_computed_in_double():
    given = points(40, 6)
    rough = principal_components(given.astype(np.float16))
    np.testing.assert_allclose(rough.explained, principal_components(given).explained, rtol=1e-2)
    assert rough.coordinates.dtype == np.float64


def test_points_that_all_agree_have_no_variance():
    found = principal_components(np.ones((5, 4)))
    assert found.explained.tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(found.coordinates, 0)


@pytest.mark.parametrize(
    ("given", "count", "message"),
    [
        (np.ones((2, 5)), 2, "num_components=2: 2 points of 5 parameters have 1 components"),
        (np.ones((9, 3)), 4, "num_components=4: 9 points of 3 parameters have 1 to 3 components"),
        (np.ones((9, 3)), 0, "num_components=0"),
        (np.array([[1.0, np.nan], [1, 2], [3, 4]]), 1, "points hold NaN or infinity: leave out"),
        (np.array([[1.0, np.inf], [1, 2], [3, 4]]), 1, "points hold NaN or infinity: leave out"),
    ],
)
def test_what_has_no_components_is_refused(given, count, message):
    with pytest.raises(LambdascopeError, match=message):
        principal_components(given, count)
