"""A pytest plug-in: tests are collected here, run in guests, and reported here.

Registered by ``tests/vm/conftest.py`` on the host.  Guests start with the session, for all tests
that were selected; each test then waits for what its guest says of it.  So
``pytest tests/vm -k lio`` works as anywhere else, and there is one summary.
"""

from __future__ import annotations

import compileall
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.vm_lab.boot import ROOT
from tests.vm_lab.profiles import GUESTS_AT_ONCE, Share, deal
from tests.vm_lab.remote import TEST_SECONDS, Remote


class GuestTests:
    """Takes over the tests below a directory, but those marked ``host``."""

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self._shares: list[Share] = []
        self._remotes: dict[str, Remote] = {}
        self._threads: ThreadPoolExecutor | None = None

    def takes(self, item: pytest.Item) -> bool:
        """Whether a test runs in a guest."""
        return self._directory in item.path.parents and not item.get_closest_marker("host")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Order the tests as the guests run them; those of the host come last."""
        below = [item for item in items if self._directory in item.path.parents]
        self._shares = deal(item for item in below if self.takes(item))
        ordered = [item for share in self._shares for item in share.tests]
        ordered += [item for item in below if not self.takes(item)]
        places = iter(ordered)
        items[:] = [next(places) if item in below else item for item in items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Let guests work while the tests of other parts, which mostly wait, run here."""
        if self._shares and not session.config.option.collectonly:
            self._begin()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """The guest minds the time of its tests."""
        return True if self.takes(item) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Hand on what the guest reports, as if it were done here."""
        if not self.takes(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        """End what still runs, as after Ctrl-C or ``-x``."""
        if self._threads is not None:
            for remote in self._remotes.values():
                remote.stop()
            self._threads.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        for directory in ("src", "tests"):  # in a guest, compiling takes 16 times longer
            compileall.compile_dir(ROOT / directory, quiet=2)
        self._threads = ThreadPoolExecutor(GUESTS_AT_ONCE, thread_name_prefix="guest")
        for share in self._shares:
            longest = max(_seconds(item) for item in share.tests)
            remote = Remote(share, self._options(), longest)
            self._remotes |= {item.nodeid: remote for item in share.tests}
            self._threads.submit(remote.run)

    def _options(self) -> list[str]:
        options = [f"--timeout={TEST_SECONDS:.0f}", f"--tb={self._config.option.tbstyle}"]
        return options + ["--showlocals"] * self._config.option.showlocals

    def _reports(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        remote = self._remotes[item.nodeid]
        for data in remote.messages(item.nodeid):
            if isinstance(data["longrepr"], list):  # a skip's; JSON has no tuples
                data["longrepr"] = tuple(data["longrepr"])
            data["location"] = item.location
            report: pytest.TestReport = self._config.hook.pytest_report_from_serializable(
                config=self._config, data=data
            )
            yield report
        if (reason := remote.lack(item.nodeid)) is not None:
            yield pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords={},
                outcome="failed",
                longrepr=reason,
                when="call",
            )


def _seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    if marker is None:
        return TEST_SECONDS
    seconds = float(marker.args[0] if marker.args else marker.kwargs["timeout"])
    return seconds or math.inf
