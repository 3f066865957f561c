"""Workers that are dead: who can be judged, and whose work is taken up at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.toys import HOST, World, ask, ended, look, working

from breezeblock.operations.owner import is_dead, this_worker
from breezeblock.operations.states import DONE
from breezeblock.operations.worker import Pace
from breezeblock.store.database import Database

SHORT = Pace(lease_seconds=0.5, longest_poll=0.05)

CLAIM_AND_WAIT = """
import sys, time
from breezeblock.operations import journal
from breezeblock.operations.owner import this_worker
from breezeblock.store.database import Database

owner = this_worker("here")
database = Database(sys.argv[1], synchronous=False)
toys = journal.Competence(["here@toys"], ["toy"])
claimed = database.transact(lambda tx: journal.claim(tx, toys, owner, 3600, 10))
print(owner, len(claimed), flush=True)
time.sleep(3600)
"""


def test_the_work_of_a_killed_process_is_taken_up_at_once(database: Database) -> None:
    """Although its lease lasts an hour."""
    operation_id = ask(database)
    arguments = [sys.executable, "-c", CLAIM_AND_WAIT, database.url.render_as_string()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        owner, count = child.stdout.readline().split()
        assert count == "1"
        assert not is_dead(owner, HOST)
        assert look(database, operation_id).owner == owner
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert is_dead(owner, HOST)
    assert not is_dead(owner, "there")
    with working(database, World()):
        done = ended(database, operation_id)
    assert (done.state, done.epoch) == (DONE, 2)


def test_a_dead_worker_is_found_while_others_work(database: Database) -> None:
    """Not only at the start: a process of the same host may die at any time."""
    arguments = [sys.executable, "-c", CLAIM_AND_WAIT, database.url.render_as_string()]
    operation_id = ask(database)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with working(database, World(), pace=SHORT):
            child.kill()
            child.wait()
            assert ended(database, operation_id).state == DONE


def test_who_is_dead_and_who_cannot_be_judged() -> None:
    own = this_worker(HOST)
    assert own != this_worker(HOST)
    assert not is_dead(own, HOST)
    assert not is_dead(own, "there")
    assert not is_dead("not a worker's name", HOST)
    host, boot, namespace, pid, started, tag = own.rsplit("/", 5)
    assert pid == str(os.getpid())
    assert is_dead(f"{host}/{boot}/{namespace}/{pid}/1/{tag}", HOST)
    assert is_dead(f"{host}/00000000/{namespace}/{pid}/{started}/{tag}", HOST)
    # A container's processes have numbers of their own.
    assert not is_dead(f"{host}/{boot}/1/{pid}/1/{tag}", HOST)


def test_a_host_name_may_hold_slashes() -> None:
    assert not is_dead(this_worker("a/b"), "a/b")
