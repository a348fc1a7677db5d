"""Settings and fixtures of all tests: hypothesis, a clean op table for tests that register ops, the machine's bfloat16.

NSREASON_TEST_BF16=off runs every test as on a machine without instructions for bfloat16, =on as on one that has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from nsreason.dsl.ops import OPS, OpTable

# Read when torch is imported, which is later: tests run in several processes, on tensors too small for threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shared runner's clock says nothing of the code, so no deadline; HYPOTHESIS_PROFILE=thorough looks longer.
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("usual", deadline=None, max_examples=100, suppress_health_check=_SLOW)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


@pytest.fixture(scope="session", autouse=bool(os.environ.get("NSREASON_TEST_BF16")))
def bfloat16() -> Iterator[None]:
    """The probe's answer, where the environment gives one; a test that sets it itself has its own."""
    from nsreason.training import devices

    with pytest.MonkeyPatch.context() as patch:
        native = {"on": True, "off": False}[os.environ["NSREASON_TEST_BF16"]]
        patch.setattr(devices, "native_bf16", lambda kind: native)
        yield


TESTS = Path(__file__).parent
SMOKE = (
    *("dsl/test_ops", "dsl/test_domain", "scenes/test_scene", "programs/test_program", "programs/test_text_reader"),
    *("programs/dialects/test_dialects", "executors/test_executors", "language/test_lexicon", "io/test_files"),
    *("language/test_question_parser", "test_packaging", "test_errors", "cli/test_smoke"),
)
"""The files of `pytest -m smoke`: the core, and each command once. Together under a minute on two cores."""
LARGE = ("ten_thousand", "deep", "long", "mutated", "threads")
"""In the names of tests of these files that take their time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what is run by `-m smoke`; what is slow is not."""
    for item in items:
        large = any(word in item.name.partition("[")[0] for word in LARGE)
        core = item.path.relative_to(TESTS).with_suffix("").as_posix() in SMOKE
        if core and not large and item.get_closest_marker("slow") is None:
            item.add_marker("smoke")


@pytest.fixture
def own_ops() -> Iterator[OpTable]:
    """The op table, for a test that registers ops; they are gone afterwards, as generators draw from the
    table.
    """
    before = dict(OPS)
    yield OPS
    OPS._ops.clear()
    OPS._ops.update(before)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tensors as small as those of tests are slower on several threads, and far slower where other tests run beside."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
