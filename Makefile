# Every target works in a fresh clone, with Python 3.11 or newer, git and make; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
LOCKED := install --require-hashes --only-binary :all:
.DEFAULT_GOAL := help

# A virtual environment names its own folder: after the clone was moved, it is created again.
ifneq ($(wildcard $(VENV)/.place),)
ifneq ($(shell cat $(VENV)/.place),$(CURDIR))
$(shell rm -rf $(VENV))
endif
endif

help: ## list the targets
	@sed -n -E 's/^([a-z-]+):.*## (.*)$$/\1|\2/p' Makefile | while IFS='|' read -r name does; do \
		printf '  make %-11s %s\n' "$$name" "$$does"; done

$(VENV)/.place:
	@command -v "$(PYTHON)" >/dev/null || { echo "no '$(PYTHON)' here: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d; name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" % sys.version_info[:2])'
	@echo "making the virtual environment in $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
		|| { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python --quiet install pip; } \
		|| { rm -rf $(VENV); echo "this Python can make no virtual environment: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@pwd -P > $@

$(VENV)/.run: requirements/run.txt pyproject.toml notifier/pyproject.toml | $(VENV)/.place
	@echo "installing what requirements/run.txt locks"
	@$(PIP) $(LOCKED) -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e ./notifier -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "installing what requirements/dev.txt locks"
	@$(PIP) $(LOCKED) --no-binary http-ece --no-build-isolation -r requirements/dev.txt # it has no wheel
	@touch $@

setup: $(VENV)/.dev ## make the virtual environment with the locked tools

run: $(VENV)/.run ## set up, migrate and start web and worker on the embedded default
	@exec $(BIN)/notifier up

# The acceptance tests of the protocol and of the HTTP API, one site for each backend, and two files in the browser.
QUICK := $(addprefix tests/acceptance/test_,http_api.py protocol.py protocol_acks.py conformance.py handshake.py \
	frames_before_close.py whole_bodies.py life.py snooze.py types.py definitions_again.py browser_shop.py browser_tabs.py)

test: $(VENV)/.dev tests/client/node_modules/.package-lock.json ## unit and integration tests, and the acceptance tests of the protocol and the API; all others: make acceptance
	@$(BIN)/python -m pytest -n 3 --dist loadfile -m "not alone and not long" tests/unit tests/integration
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not alone and not long" $(QUICK)

# Much of what they do is wait, for processes, timers and brokers: so four at a time, also on two cores.
acceptance: $(VENV)/.dev tests/client/node_modules/.package-lock.json ## every acceptance test, the short crash matrix and cluster, the tests that run alone, the library
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not alone and not long" \
		tests/acceptance tests/chaos tests/cluster
	@$(BIN)/python -m pytest -m "alone and not long" tests/integration tests/acceptance
	@$(MAKE) --no-print-directory library

long: $(VENV)/.dev tests/client/node_modules/.package-lock.json ## the tests that take minutes, whose short forms are in `make acceptance`
	$(BIN)/python -m pytest -m long tests/integration tests/acceptance

# The library's tests in environments without the service: at the lowest dependencies, and at the newest.
library: $(VENV)/.library-floors $(VENV)/.library-newest wheels ## the library's wheel alone, with its dependencies at the floors and at the newest
	@for lock in floors newest; do \
		$(PIP) --python $(VENV)/library-$$lock/bin/python install --force-reinstall --no-deps dist/live_notifications-*.whl || exit 1; \
		$(VENV)/library-$$lock/bin/python -P -m pytest -q -c tests/library/pytest.ini --rootdir tests/library \
			--confcutdir tests/library -p no:cacheprovider tests/library || exit 1; done

$(VENV)/.library-%: requirements/library-%.txt | $(VENV)/.place
	@echo "installing what requirements/library-$*.txt locks"
	@rm -rf $(VENV)/library-$*
	@$(PYTHON) -m venv --without-pip $(VENV)/library-$*
	@$(PIP) --python $(VENV)/library-$*/bin/python $(LOCKED) -r $<
	@touch $@

# The browser tests' tools; without npm those tests are skipped, and say so.
tests/client/node_modules/.package-lock.json: tests/client/package-lock.json
	@if command -v npm >/dev/null; then cd tests/client && npm ci --ignore-scripts --silent && touch node_modules/.package-lock.json; fi

client: tests/client/node_modules/.package-lock.json ## write client/bundle/ from the client's modules (needs npm)
	@node client/build.mjs

pictures: $(VENV)/.dev ## take the pictures in docs/images again, of the bell, the demo and the dashboard (Chromium)
	$(BIN)/python -m tests.acceptance.take_pictures

chaos: $(VENV)/.dev ## the crash matrix: kill and freeze every part, check every accepted notification (SEED=1 RUNS=42)
	$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --runs $(or $(RUNS),42)
	$(BIN)/python -m tests.chaos.failover
	$(BIN)/python -m tests.chaos.failover --rounds 2 --pooled
	$(BIN)/python -m tests.chaos.channels --seed $(or $(SEED),1) --runs $(or $(RUNS),42)

cluster: $(VENV)/.dev ## scaled out: kill each RabbitMQ node and each gateway in turn, check every accepted notification (SEED=1 ROUNDS=1)
	$(BIN)/python -m tests.cluster --seed $(or $(SEED),1) --rounds $(or $(ROUNDS),1)

cases: $(VENV)/.dev ## Schemathesis over the served OpenAPI document, on both backends (SEED=1 CASES=100)
	SEED=$(or $(SEED),1) CASES=$(or $(CASES),100) $(BIN)/python -m pytest -s tests/acceptance/test_openapi_cases.py

fuzz: $(VENV)/.dev ## hostile sockets by the thousand, on both backends (SEED=1 SESSIONS=10000)
	SEED=$(or $(SEED),1) SESSIONS=$(or $(SESSIONS),10000) $(BIN)/python -m pytest -s tests/acceptance/test_socket_fuzz.py

soak: $(VENV)/.dev ## a quarter of an hour of alerts to sockets that come and go: acks in time, memory, handles and tables flat (SEED=1 SECONDS=900)
	$(BIN)/python -m tests.soak --seed $(or $(SEED),1) --seconds $(or $(SECONDS),900)

flood: $(VENV)/.dev ## silent sockets, slow-lorises, a greedy key and user beside 200 good clients (BACKEND=production)
	$(BIN)/python -m tests.flood --backend $(or $(BACKEND),production)

bench: $(VENV)/.dev ## measure, beside the peers (all, or SCENARIO=burst; ROUNDS=3 SEED=1), and write the report
	$(BIN)/python -m bench $(SCENARIO) --rounds $(or $(ROUNDS),3) --seed $(or $(SEED),1)
	$(BIN)/python -m bench.report

.PHONY: bench-peers
bench-peers: $(VENV)/.dev ## test that the Node peer keeps the promises that it is measured for (node, Redis, PostgreSQL)
	$(BIN)/python -m pytest bench/peers

lint: $(VENV)/.dev ## ruff, mypy --strict and the import rules between the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.build: requirements/build.txt | $(VENV)/.place
	@$(PIP) $(LOCKED) -r requirements/build.txt
	@touch $@

wheels: $(VENV)/.build ## build the two wheels into dist/: the library for applications, and the service
	@rm -rf build notifier/build dist/live_notifications*
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist ./notifier .
	@rm -rf build notifier/build
	@ls dist/*.whl

lock: ## resolve the dependencies again and pin them with hashes (needs uv)
	uv pip compile --quiet pyproject.toml --extra build --no-emit-package live-notifications --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -o requirements/run.txt
	uv pip compile --quiet pyproject.toml --extra build --extra dev --no-emit-package live-notifications --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -c requirements/run.txt -o requirements/dev.txt
	uv pip compile --quiet requirements/build.in --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -c requirements/run.txt -o requirements/build.txt
	uv pip compile --quiet notifier/pyproject.toml --extra test --resolution lowest-direct --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -o requirements/library-floors.txt
	uv pip compile --quiet notifier/pyproject.toml --extra test --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -o requirements/library-newest.txt
	uv pip compile --quiet requirements/audit.in --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -o requirements/audit.txt

licences: $(VENV)/.dev ## write docs/licences.md: under which licence is what we use
	@$(BIN)/python requirements/licences.py

# The auditor has an environment of its own; --strict: what cannot be looked up is a failure.
$(VENV)/.audit: requirements/audit.txt | $(VENV)/.place
	@$(PYTHON) -m venv --without-pip $(VENV)/audit
	@$(PIP) --python $(VENV)/audit/bin/python $(LOCKED) -r requirements/audit.txt
	@touch $@

audit: $(VENV)/.audit ## look up known holes in what requirements/run.txt locks (asks the package index)
	@$(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements/run.txt \
		|| { echo "not clean, or not audited: 'not found on PyPI' and connection errors mean that the package index could not tell" >&2; exit 1; }

clean: ## remove the virtual environment and the caches (what is stored in var/ stays)
	rm -rf $(VENV) build dist notifier/build notifier/*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

.PHONY: help setup run test acceptance long client pictures library wheels cases fuzz flood soak bench chaos cluster lint lock licences audit clean
