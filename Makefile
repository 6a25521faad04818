# make demo      a release becomes an image, and runs where a Docker answers
# make test      everything that CI runs; sets up what it needs, Docker included
# make unit      the tests that need neither Elixir nor Docker
# make check     formatting, lint, types, the order of the rooms
# make soak      the tests that take long: killed builds and upgrades, each upgrade of the pairs
# make man       the man pages, from the commands: docs/man
# make dist      the wheel and the sdist, each installed and tried: dist/
# make recording the terminal in README.md, run anew: docs/images/recording.svg
# make bench     the figures that README.md quotes, and times beside those of Dockerfiles
# make bench-compare  cattle and pet on the fixtures, and the picture that README.md shows
# make bench-upgrade  how long a hot upgrade takes, beside one by hand (IMAGESMITH_REFERENCE=DIR)

PYTHON := .venv/bin/python
PATH := $(CURDIR)/.venv/bin:$(PATH)
WORKFLOWS := $(wildcard .github/workflows/*.yml docs/ci/github-*.yml)
UNIT := not release and not oracle and not container and not fuzz

.PHONY: setup demo test unit check soak man dist recording bench bench-compare bench-upgrade

setup:
	@.ci/venv

demo: setup
	@.ci/demo

test: setup check
	.ci/tools elixir
	.ci/tools chromium
	PATH="$$(.ci/tools oracles):$$PATH" .ci/engine run $(PYTHON) -m pytest -n 3 --dist worksteal
	.ci/engine run --store classic $(PYTHON) -m pytest tests/container/test_stores.py
	.ci/dist .cache/dist

unit: setup
	$(PYTHON) -m pytest -n 2 -m "$(UNIT)"

check: setup
	ruff format --check
	ruff check
	mypy
	lint-imports --no-logo
	shellcheck .ci/engine .ci/engine-down.sh .ci/tools .ci/lib.sh .ci/venv .ci/demo .ci/dist .ci/run .ci/install fixtures/shop/build fixtures/echo/build
	shellcheck -x imagesmith/image/pet/start.sh imagesmith/image/pet/volume.sh imagesmith/image/pet/wrapper.sh
	check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
	check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	check-jsonschema --quiet --builtin-schema vendor.gitlab-ci docs/ci/gitlab-ci.yml
	jactionlint action.yml $(WORKFLOWS)
	zizmor --offline --quiet action.yml $(WORKFLOWS)

soak: setup
	.ci/tools elixir
	.ci/engine run $(PYTHON) -m pytest -m soak

man: setup
	$(PYTHON) -m imagesmith.cli.man docs/man

dist: setup
	.ci/dist

recording: setup
	.ci/tools elixir
	.ci/engine run $(PYTHON) -m docs.recording docs/images/recording.svg

bench: setup
	.ci/tools elixir
	$(PYTHON) bench/base_size.py
	.ci/engine run $(PYTHON) -m bench.speed

bench-compare: setup
	.ci/tools elixir
	.ci/engine run $(PYTHON) -m bench.compare --picture docs/images/compare.svg

bench-upgrade: setup
	.ci/tools elixir
	.ci/engine run $(PYTHON) -m bench.upgrade
