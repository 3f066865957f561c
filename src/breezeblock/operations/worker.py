"""The worker: claims operations of its queues, runs them in threads, keeps their leases."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic

from breezeblock.operations import journal
from breezeblock.operations.definition import Definitions
from breezeblock.operations.errors import HandOver, LeaseLost
from breezeblock.operations.owner import is_dead, this_worker
from breezeblock.operations.record import Operation
from breezeblock.operations.run import Env, Run
from breezeblock.operations.runner import Observer, Runner, unobserved
from breezeblock.operations.wakeup import Hints
from breezeblock.store.database import Database

LOG = logging.getLogger(__name__)

SHORTEST_POLL_SECONDS = 0.05

Surroundings = Callable[[Run[Env]], AbstractContextManager[object]]
"""What a run is wrapped in, such as the progress reporter that drivers find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a worker goes about it.

    ``lease_seconds`` is how long it owns an operation without renewing, ``threads`` how many it
    runs at once, ``longest_poll`` the longest time in seconds between two looks for work.
    """

    lease_seconds: float = 30.0
    threads: int = 8
    longest_poll: float = 1.0


class Worker(Generic[Env]):
    """Runs the operations of the queues it serves.

    ``surroundings`` is what each run is wrapped in, such as a reporter that drivers find.
    """

    def __init__(
        self,
        database: Database,
        definitions: Definitions[Env],
        *,
        host: str,
        hints: Hints,
        pace: Pace,
        surroundings: Surroundings[Env] = lambda run: nullcontext(),
        observer: Observer = unobserved,
    ) -> None:
        self.owner = this_worker(host)
        self._database = database
        self._definitions = definitions
        self._kinds = [definition.kind for definition in definitions]
        self._host = host
        self._hints = hints
        self._pace = pace
        self._lease = pace.lease_seconds
        self._surroundings = surroundings
        self._observer = observer
        self._queues: dict[str, Env] = {}
        self._running: dict[str, Run[Env]] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._renewer_wakeup = threading.Event()
        self._claimer = threading.Thread(target=self._claim_forever, name="claimer", daemon=True)
        self._renewer = threading.Thread(target=self._renew_forever, name="leases", daemon=True)

    # ---- life ------------------------------------------------------------------------------

    def serve(self, queues: Mapping[str, Env]) -> None:
        """Set the queues that are served from now on, each with what its steps get as ``env``."""
        with self._guard:
            self._queues = dict(queues)
        self._take_from_the_dead()
        self._hints.work.notify()

    def start(self) -> None:
        self._claimer.start()
        self._renewer.start()

    def stop(self, grace_seconds: float = 30.0) -> bool:
        """Claim nothing more and hand running operations over at their next checkpoint.

        Returns whether all were handed over or ended within the grace; the rest are taken up by
        whoever serves their queue next, once this process is gone.
        """
        self._stopping.set()
        self._renewer_wakeup.set()
        self._hints.work.notify()
        deadline = time.monotonic() + grace_seconds
        if self._claimer.is_alive():
            self._claimer.join(grace_seconds)
        while self._running and time.monotonic() < deadline:
            self._hints.done.wait(self._hints.done.count, 0.1)
        return not self._running

    @property
    def running(self) -> Sequence[Operation]:
        with self._guard:
            return [run.operation for run in self._running.values()]

    # ---- claiming ----------------------------------------------------------------------------

    def _claim_forever(self) -> None:
        pause = SHORTEST_POLL_SECONDS
        while not self._stopping.is_set():
            seen = self._hints.work.count
            try:
                claimed = self._claim()
            except Exception:
                LOG.exception("Claiming failed; it is tried again in %.2f s", pause)
                claimed = []
            for run in claimed:
                self._launch(run)
            if claimed:
                pause = SHORTEST_POLL_SECONDS
                continue
            self._hints.work.wait(seen, pause)
            hinted = self._hints.work.count != seen
            pause = SHORTEST_POLL_SECONDS if hinted else min(pause * 2, self._pace.longest_poll)

    def _claim(self) -> list[Run[Env]]:
        with self._guard:
            queues = dict(self._queues)
            free = self._pace.threads - len(self._running)
        competence = journal.Competence(list(queues), self._kinds)
        # Looking first keeps an idle worker from ever taking the database's write lock.
        with self._database.read() as connection:
            if not journal.claimable(connection, competence, free):
                return []
        # Taken before the claim, so that the lease ends here before it ends in the journal.
        deadline = time.monotonic() + self._lease
        operations = self._database.transact(
            lambda tx: journal.claim(tx, competence, self.owner, self._lease, free)
        )
        return [
            Run(
                operation,
                queues[operation.queue],
                self._database,
                lease_deadline=deadline,
                stopping=self._stopping,
            )
            for operation in operations
        ]

    def _launch(self, run: Run[Env]) -> None:
        operation = run.operation
        with self._guard:
            self._running[operation.id] = run
        name = f"{operation.kind}-{operation.id[:8]}"
        threading.Thread(target=self._carry_on, args=(run,), name=name, daemon=True).start()

    def _carry_on(self, run: Run[Env]) -> None:
        operation = run.operation
        try:
            definition = self._definitions[operation.kind]
            with self._surroundings(run):
                Runner(definition, run, self._observer).carry_on()
        except LeaseLost:
            LOG.warning("Lost operation %s (%s) to another worker", operation.id, operation.kind)
        except HandOver:
            LOG.info("Left operation %s (%s) to the next worker", operation.id, operation.kind)
        except Exception:
            # What could not even be journaled is taken up again when the lease is over.
            LOG.exception("Operation %s (%s) broke off", operation.id, operation.kind)
        finally:
            with self._guard:
                # A run that lost its lease may find the operation claimed again, by this worker.
                if self._running.get(operation.id) is run:
                    del self._running[operation.id]
            self._hints.work.notify()
            self._hints.done.notify()

    # ---- leases ------------------------------------------------------------------------------

    def _renew_forever(self) -> None:
        while not self._renewer_wakeup.wait(self._lease / 3) or self._running:
            try:
                self._renew()
                self._take_from_the_dead()
            except Exception:
                LOG.exception("Leases could not be renewed; it is tried again")
            if self._stopping.is_set():
                if not self._running:
                    return
                time.sleep(min(1.0, self._lease / 3))

    def _renew(self) -> None:
        with self._guard:
            running = dict(self._running)
        if not running:
            return
        deadline = time.monotonic() + self._lease
        # What broke off is not among them: its lease ends, and somebody takes it up again.
        held = self._database.transact(
            lambda tx: journal.renew(tx, self.owner, self._lease, running.keys())
        )
        for operation_id, run in running.items():
            if held.get(operation_id) == run.operation.epoch:
                run.renewed(deadline)
            else:
                run.lose()

    def _take_from_the_dead(self) -> None:
        with self._guard:
            names = list(self._queues)
        if not names:
            return
        with self._database.read() as connection:
            holders = journal.owners(connection, names)
        dead = [owner for owner in holders if is_dead(owner, self._host)]
        if dead:
            count = self._database.transact(lambda tx: journal.release_all_of(tx, dead))
            LOG.info("Took %d operations over from workers that are gone", count)
            self._hints.work.notify()
