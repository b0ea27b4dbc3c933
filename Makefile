# Everything that is done with this repository, by name. `make help` lists it.
#
# The virtual environment is made once and filled from the lock files; the stamps in .venv remember which lock it holds,
# so that a second `make run` starts the server and does nothing else.

# A distribution compiles its interpreter with profiles of its use; one compiled at home, as by pyenv, mostly has none and is slower.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
NODE := $(shell command -v node 2>/dev/null)
MIGRATIONS = $(wildcard server/fairwire_server/database/migrations/*.sql)

# uv only resolves; what it writes is a plain requirements file that pip reads. No address of an index goes into it.
LOCK = $(VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--quiet --custom-compile-command 'make lock'

# The figures of a full run are kept for the plots, RESULTS.md and SIZING.md; a quick one is only looked at.
KEPT = $(if $(findstring --quick,$(BENCH)),,--json bench/figures/$(@:bench-%=%).json)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run cluster test check check-code check-documents soak teeth bench-fanout bench-announce bench-commit bench-commit-two bench-idle bench-connect bench-resume bench-presence bench-search bench-booking bench-slots bench-notify bench-nodes bench-plots bench-peak lock upgrade clean

help: ## show this list
	@printf '\n  \033[1mFairwire\033[0m: the live wire of an online trade fair\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[36mmake %-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  PYTHON=%s picks the interpreter that makes %s (3.11 or newer).\n\n' '$(PYTHON)' '$(VENV)'

run: $(VENV)/.run.stamp ## start everything on http://127.0.0.1:8080: embedded PostgreSQL in ./data, a demo fair
	@FAIRWIRE_DEMO=$${FAIRWIRE_DEMO-1} exec $(PY) -m fairwire_server serve

cluster: $(VENV)/.run.stamp ## two nodes, a worker, PostgreSQL and Valkey on loopback behind http://127.0.0.1:8080
	@FAIRWIRE_DEMO=$${FAIRWIRE_DEMO-1} exec $(PY) -m fairwire_server cluster --nodes 2

test: check ## every check: the static gates, then the tests against real services
	@$(PY) -m pytest --numprocesses 2 --dist worksteal

check: check-code check-documents ## the static gates alone: style, types, boundaries, migrations, documents, locks

check-code: $(VENV)/.dev.stamp
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(if $(MIGRATIONS),$(VENV)/bin/squawk $(MIGRATIONS))
	$(PY) -m tests.gates.test_sizes
	$(PY) -m pytest --quiet --noconftest tests/gates

check-documents: $(VENV)/.dev.stamp $(if $(NODE),$(VENV)/.node.stamp)
	$(PY) -m fairwire_server openapi > $(VENV)/openapi.json
	$(PY) -m openapi_spec_validator $(VENV)/openapi.json
	$(PY) -m fairwire_server asyncapi > $(VENV)/asyncapi.json
ifeq ($(NODE),)
	@echo 'asyncapi: SKIPPED, the official parser needs Node and there is none here (.ci/run installs it)'
else
	$(NODE) tests/asyncapi/validate.mjs $(VENV)/asyncapi.json
endif

soak: $(VENV)/.dev.stamp ## the long tests, which also assert times
	@$(PY) -m pytest -m soak --timeout 3600

teeth: $(VENV)/.dev.stamp ## plant each known fault in a copy and demand that its tests turn red
	@$(PY) -m tests.teeth

bench-fanout: $(VENV)/.dev.stamp ## one announcement to 1,000 and 10,000 sockets, beside bare loops that only write
	@$(PY) -m bench.fanout $(KEPT) $(BENCH)
bench-announce: $(VENV)/.dev.stamp ## an announcement to 15,000 sockets while people chat
	@$(PY) -m bench.announce $(KEPT) $(BENCH)
bench-commit: $(VENV)/.dev.stamp ## messages accepted per second, beside bare asyncpg loops
	@$(PY) -m bench.commit $(KEPT) $(BENCH)
bench-commit-two: $(VENV)/.dev.stamp ## the same over two nodes on two cores, a Valkey between them
	@$(PY) -m bench.commit --nodes 2 $(KEPT) $(BENCH)
bench-nodes: $(VENV)/.dev.stamp ## what two nodes with a bus cost, beside one
	@$(PY) -m bench.nodes $(KEPT) $(BENCH)
bench-idle: $(VENV)/.dev.stamp ## memory and processor time of 15,000 sockets that wait
	@$(PY) -m bench.idle $(KEPT) $(BENCH)
bench-connect: $(VENV)/.dev.stamp ## sockets that become live per second, with 50 and with 300 contacts
	@$(PY) -m bench.connect $(KEPT) $(BENCH)
bench-resume: $(VENV)/.dev.stamp ## 5,000 sockets cut at once, each back with 20 events
	@$(PY) -m bench.resume $(KEPT) $(BENCH)
bench-presence: $(VENV)/.dev.stamp ## 1,000 changes a second among 15,000 accounts, 50 on screen each
	@$(PY) -m bench.presence $(KEPT) $(BENCH)
bench-booking: $(VENV)/.dev.stamp ## the race for seats: 4,000 requests over 32 sockets, beside bare inserts
	@$(PY) -m bench.booking $(KEPT) $(BENCH)
bench-slots: $(VENV)/.dev.stamp ## 6.5 million slots planned, and an exhibitor's open ones read
	@$(PY) -m bench.slots $(KEPT) $(BENCH)
bench-notify: $(VENV)/.dev.stamp ## 50,000 reminders due in one minute, drained by one worker and by two, beside two job queues
	@$(PY) -m bench.notify $(KEPT) $(BENCH)
bench-search: $(VENV)/.dev.stamp ## search, recent list and snapshot over 1,000,000 messages
	@$(PY) -m bench.search $(KEPT) $(BENCH)
bench-plots: $(VENV)/.dev.stamp ## draw what the benches measured last, and fill the tables of RESULTS.md
	@$(PY) -m bench.plots
	@$(PY) -m bench.tables
bench-peak: $(VENV)/.dev.stamp ## a load run: 200 people of a fair at its busiest for a minute, on a server of its own
	@$(PY) -m bench.locust --embedded 100x1000 --active 200 --seconds 60 --speed 4 --shape peak_hour --rise 10 --hold 500

lock: $(VENV)/.dev.stamp ## rebuild both lock files from pyproject.toml, keeping the versions that still fit
	$(LOCK) --all-extras --group dev --output-file requirements-dev.lock
	$(LOCK) --extra server --extra embedded --group build --constraint requirements-dev.lock --output-file requirements.lock

upgrade: $(VENV)/.dev.stamp ## as lock, but take the newest version of everything
	$(LOCK) --all-extras --group dev --upgrade --output-file requirements-dev.lock
	$(LOCK) --extra server --extra embedded --group build --upgrade --constraint requirements-dev.lock --output-file requirements.lock

clean: ## remove what make made; ./data, which holds the fair, stays
	rm -rf $(VENV) build dist bench/out tests/asyncapi/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Fairwire needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	  echo "Install one and name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without its venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo 'making $(VENV) with $(PYTHON)'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run.stamp: requirements.lock pyproject.toml | $(VENV)/pyvenv.cfg
	@echo 'installing what the server needs, once per lock file'
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev.stamp: requirements-dev.lock $(VENV)/.run.stamp
	@echo 'installing what the tests and checks need, once per lock file'
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

# Install scripts stay off: one of the parser's own dependencies reports installations to its maker.
$(VENV)/.node.stamp: tests/asyncapi/package-lock.json | $(VENV)/pyvenv.cfg
	@echo 'installing the official AsyncAPI parser'
	@cd tests/asyncapi && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
