"""What the tests stand on: services, processes, clients and ledgers, each a plain object without pytest.

Nothing here imports the project's own packages: the harness knows the contract only, so a fault in the
project cannot hide itself by being shared with the check. Fixtures live in ``tests/conftest.py``.
"""
