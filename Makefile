# Two commands do the work: `make demo` shows a press being proven, `make test` passes the tests.
# Both set up everything they need and reuse it the next time. ARGS goes to the tool behind:
# make demo ARGS="--pbx 16", make test ARGS="tests/unit -k names",
# make faults ARGS="--presses 10000 --seed 7".

ARGS ?=
# Tests run in so many processes: more than there are cores, as many wait for phones.
JOBS ?= $(shell echo $$((2 * $$(nproc) + 1)))

.PHONY: demo test check bench faults docs man deb format

demo:
	@scripts/setup demo
	@.venv/bin/python -m lab $(ARGS)

test: check
	@.venv/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check:
	@scripts/setup test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench:
	@scripts/setup test
	@for file in bench/[a-z]*.py; do name=$$(basename $$file .py); echo "== $$name"; \
		.venv/bin/python -m bench.$$name || exit 1; done

faults:
	@scripts/setup test
	@.venv/bin/python -m tests.kits.faults.run $(ARGS)

docs:
	@scripts/setup test
	@.venv/bin/sphinx-build -W -n -q -c docs . build/site && echo "docs: build/site/docs/index.html"

man:
	@scripts/setup test
	@PYTHONPATH=. .venv/bin/python scripts/make_man.py

deb: man
	@packaging/build-deb $(ARGS)

format:
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
