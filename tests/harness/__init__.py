"""Helpers of the tests: services, processes, clients and ledgers, each a plain object without pytest.

Nothing here imports the project's own packages, except `world` and `past`: the harness knows only the
documented interfaces, so a fault of the project cannot be in the check as well. Fixtures live in ``tests/conftest.py``.
"""
