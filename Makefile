# Virtual environments: .venv is what a host gets (no TensorFlow), .venv-dev also trains and tests,
# .venv-bench-learning (2.2 GB) and .venv-bench-stream hold only what those two compare with.
PYTHON ?= python3
HOST := .venv
DEV := .venv-dev
PEERS := .venv-bench-learning
STREAM_PEERS := .venv-bench-stream
DATA ?= $(if $(SIGNET_DATA),$(SIGNET_DATA),../shared/data)
export SIGNET_DATA := $(DATA)

.PHONY: install demo week test test-board check train bench bench-learning bench-stream kill-test proof-wire fuzz sim soak host-bundle test-host-bundle clean

install: $(HOST)/.done

$(HOST)/.done: pyproject.toml
	@tools/make-venv.sh $(PYTHON) $(HOST) '.'

$(DEV)/.done: pyproject.toml
	@tools/make-venv.sh $(PYTHON) $(DEV) '.[dev,train]'

$(PEERS)/.done: pyproject.toml
	@tools/make-venv.sh $(PYTHON) $(PEERS) '.[peers]'

$(STREAM_PEERS)/.done: pyproject.toml
	@tools/make-venv.sh $(PYTHON) $(STREAM_PEERS) '.[peers-stream]'

demo: $(HOST)/.done
	@$(HOST)/bin/python -m sim.demo $(if $(RECORDING),--recording '$(RECORDING)') $(if $(LABELS),--labels '$(LABELS)') $(if $(BUNDLE),--bundle '$(BUNDLE)')

week: $(HOST)/.done
	@$(HOST)/bin/python -m sim.week $(if $(SEED),--seed '$(SEED)') $(if $(BUNDLE),--bundle '$(BUNDLE)')

BOARD_TESTS := tests/board tests/flash tests/host_bundle

test: test-board
	$(DEV)/bin/python -m pytest -q -n 2 -m "not needs_tf" $(BOARD_TESTS:%=--ignore=%) tests
	$(DEV)/bin/python -m pytest -q -m needs_tf tests

# The app on the official MicroPython build, flashing by the real programs, the host's archive under emulation.
test-board: $(DEV)/.done
	@tools/install-tools.sh
	@tools/install-arm64.sh || true
	$(DEV)/bin/python -m pytest -q -n 2 $(BOARD_TESTS)

# The archive that installs on a host without a network: PLATFORM=aarch64 (a Raspberry Pi) or x86_64.
host-bundle: $(HOST)/.done
	@$(HOST)/bin/python -m tools.host_bundle $(if $(PLATFORM),--platform '$(PLATFORM)') $(if $(OUT),--out '$(OUT)')

test-host-bundle: $(DEV)/.done
	@tools/install-arm64.sh
	$(DEV)/bin/python -m pytest -q tests/host_bundle

check: $(DEV)/.done
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/python -m pytest -q tests/architecture

train: $(DEV)/.done
	$(DEV)/bin/python -m training train --data '$(DATA)' $(foreach p,$(HOLD_OUT),--hold-out $(p)) $(if $(OUT),--out '$(OUT)')

bench: $(DEV)/.done $(HOST)/.done
	$(HOST)/bin/python -m bench

bench-learning: $(DEV)/.done $(HOST)/.done $(PEERS)/.done
	@$(DEV)/bin/python -m bench.learning --host $(HOST)/bin/python --peers $(PEERS)/bin/python --data '$(DATA)' $(if $(QUICK),--quick)

bench-stream: $(HOST)/.done $(STREAM_PEERS)/.done
	@$(HOST)/bin/python -m bench.stream --peers $(STREAM_PEERS)/bin/python $(if $(QUICK),--quick)

kill-test: $(HOST)/.done
	@$(HOST)/bin/python -m bench.killed

soak: $(HOST)/.done
	@$(HOST)/bin/python -m sim.soak $(if $(HOURS),--hours '$(HOURS)') $(if $(RING),--ring '$(RING)')

proof-wire: $(DEV)/.done
	@$(DEV)/bin/python -m bench.wire $(if $(QUICK),--quick)

fuzz: $(DEV)/.done
	@$(DEV)/bin/python -m tests.fuzz $(TARGETS) $(if $(MINUTES),--minutes '$(MINUTES)')

sim: $(HOST)/.done
	$(HOST)/bin/python -m sim --pty

clean:
	rm -rf $(HOST) $(DEV) $(PEERS) $(STREAM_PEERS) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
