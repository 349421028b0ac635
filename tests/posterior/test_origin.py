import sys
import types

import pytest

from lambdascope.posterior.origin import Origin, origin


@pytest.mark.parametrize(
    ("module", "whose"),
    [
        ("__main__", Origin.USER),
        (__name__, Origin.USER),
        ("no_such_module", Origin.USER),
        ("builtins", Origin.PYTHON),
        ("logging.handlers", Origin.PYTHON),
        ("torch.nn.functional", Origin.TORCH),
        ("lambdascope.toys", Origin.LAMBDASCOPE),
        ("numpy", Origin.PACKAGE),
        ("pytest", Origin.PACKAGE),
    ],
)
def test_whose_code_it_is(module, whose):
    assert origin(module) is whose


def test_a_module_of_the_users_may_have_the_name_of_one_of_pythons(monkeypatch, tmp_path):
    module = types.ModuleType("statistics")
    module.__file__ = str(tmp_path / "statistics.py")
    monkeypatch.setitem(sys.modules, "statistics", module)
    origin.cache_clear()
    try:
        assert origin("statistics") is Origin.USER
    finally:
        origin.cache_clear()
