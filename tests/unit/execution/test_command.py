"""Programs are run for real: their ends, their limits, their secrets."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from breezeblock.execution.command import (
    MAX_LINE,
    MAX_STDERR,
    CommandFailed,
    CommandNotFound,
    CommandNotPlaced,
    CommandOutputTooLarge,
    CommandTimedOut,
    SecretFile,
    run,
    start_daemon,
    stream,
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_and_environment() -> None:
    done = run(
        python("import os,sys; print(os.environ['LC_ALL'], os.environ['X']); sys.exit(3)"),
        accept=(0, 3),
        environment={"X": "y", "LC_ALL": "de_DE"},
    )
    assert (done.exit_code, done.text) == (3, "C y\n")


def test_a_failure_has_code_and_words() -> None:
    with pytest.raises(CommandFailed, match="exit code 7: sorry") as failed:
        run(python("import sys; sys.stderr.write('sorry\\n'); sys.exit(7)"))
    assert (failed.value.exit_code, failed.value.stderr) == (7, "sorry\n")
    assert not failed.value.transient


def test_a_signal_is_a_negative_code() -> None:
    with pytest.raises(CommandFailed) as failed:
        run(["sh", "-c", "kill -9 $$"])
    assert failed.value.exit_code == -9


def test_a_missing_program() -> None:
    with pytest.raises(CommandNotFound, match="no-such-program"):
        run(["no-such-program"])


def test_the_whole_group_is_killed_in_time(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(CommandTimedOut) as late:
        run(["sh", "-c", f"sleep 60 & echo $! > {note}; echo half >&2; wait"], timeout=0.5)
    assert time.monotonic() - started < 5
    assert late.value.transient
    assert "half" in late.value.stderr
    grandchild = int(note.read_text())
    for _ in range(100):
        state = Path(f"/proc/{grandchild}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the grandchild lives on")


def test_a_child_that_closed_its_pipes_is_still_bounded() -> None:
    with pytest.raises(CommandTimedOut):
        run(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout=0.3)


def test_a_daemonised_grandchild_does_not_hold_the_caller() -> None:
    started = time.monotonic()
    assert run(["sh", "-c", "sleep 8 & echo done"], timeout=30).text == "done\n"
    assert time.monotonic() - started < 4


def test_much_input_and_output_at_once() -> None:
    data = os.urandom(3_000_000)
    assert run(["cat"], stdin=data).stdout == data


def test_input_nobody_reads() -> None:
    assert run(["true"], stdin=b"x" * 1_000_000).exit_code == 0


def test_output_is_bounded() -> None:
    with pytest.raises(CommandOutputTooLarge):
        run(["yes"], max_output=100_000)
    done = run(["sh", "-c", f"head -c {3 * MAX_STDERR} /dev/zero >&2; echo end >&2"])
    assert len(done.stderr) == MAX_STDERR
    assert done.stderr.endswith("end\n")


def test_a_secret_is_seen_by_the_child_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = SecretFile(b"hunter2")
    code = (
        "import sys; print(open(sys.argv[1]).read());"
        "print(open('/proc/self/cmdline').read().replace('\\0', ' '))"
    )
    shown = run([*python(code), secret]).text.splitlines()
    assert shown[0] == "hunter2"
    assert "hunter2" not in shown[1]
    with pytest.raises(CommandFailed) as failed:
        run(["false", secret], stdin=b"hunter2")
    assert "hunter2" not in str(failed.value) + repr(secret) + caplog.text


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    run(["true"], stdin=b"x")
    with pytest.raises(CommandTimedOut):
        run(
            [
                "sleep",
                "9",
            ],
            stdin=b"x",
            timeout=0.05,
        )
    with pytest.raises(CommandNotFound):
        run(["no-such-program", SecretFile(b"x")])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_daemon_has_a_session_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    daemon = start_daemon(["sh", "-c", "echo here; exec sleep 60"], log_path=str(log))
    try:
        assert os.getsid(daemon.pid) == daemon.pid
        for _ in range(100):
            if log.read_text():
                break
            time.sleep(0.02)
        assert log.read_text() == "here\n"
        assert log.stat().st_mode & 0o777 == 0o600
    finally:
        daemon.kill()
        daemon.wait()


def ignored(line: str) -> None:
    """Want no line."""


def nothing() -> None:
    """Look at nothing."""


def test_lines_come_while_the_program_runs(tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        go_on.touch()

    waiting = f"while [ ! -e {go_on} ]; do sleep 0.01; done"
    script = f"read a; echo $a >&2; echo first; {waiting}; printf '50\\r100\\r\\n\\nlast'"
    said = stream(["sh", "-c", script], on_line=on_line, on_tick=nothing, stdin=b"in\n", timeout=30)
    assert lines == ["first", "50", "100", "last"]
    assert said == "in\n"


@pytest.mark.parametrize("script", ["echo here; sleep 60", "exec >&- 2>&-; sleep 60"])
def test_what_a_tick_raises_kills_the_program(script: str) -> None:
    ticks = []

    def on_tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            raise KeyError

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyError):
        stream(["sh", "-c", script], on_line=ignored, on_tick=on_tick)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_line_raises_kills_the_program() -> None:
    with pytest.raises(ValueError, match="no number"):
        stream(["sh", "-c", "echo no number; sleep 60"], on_line=_number, on_tick=nothing)


def _number(line: str) -> None:
    raise ValueError(line)


def test_a_stream_fails_as_a_command_does() -> None:
    with pytest.raises(CommandFailed, match="exit code 7: sorry"):
        stream(["sh", "-c", "echo sorry >&2; exit 7"], on_line=ignored, on_tick=nothing)
    with pytest.raises(CommandTimedOut):
        stream(["sleep", "60"], on_line=ignored, on_tick=nothing, timeout=0.3)
    with pytest.raises(CommandTimedOut):
        stream(
            ["sh", "-c", "exec >&- 2>&-; sleep 60"], on_line=ignored, on_tick=nothing, timeout=0.3
        )
    with pytest.raises(CommandOutputTooLarge):
        stream(
            ["sh", "-c", f"head -c {2 * MAX_LINE} /dev/zero; sleep 60"],
            on_line=ignored,
            on_tick=nothing,
        )


def test_a_program_is_in_its_group_before_its_input_comes(tmp_path: Path) -> None:
    """The kernel takes a process by a number written to this file."""
    (tmp_path / "cgroup.procs").touch()
    lines: list[str] = []
    script = f"read a; echo $$; cat {tmp_path}/cgroup.procs"
    stream(
        ["sh", "-c", script], on_line=lines.append, on_tick=nothing, stdin=b"a\n", cgroup=tmp_path
    )
    assert lines[0] == lines[1]


def test_a_program_that_cannot_be_placed_is_killed(tmp_path: Path) -> None:
    with pytest.raises(CommandNotPlaced, match=f"the cgroup {tmp_path}/none: No such file"):
        stream(["sleep", "60"], on_line=ignored, on_tick=nothing, cgroup=tmp_path / "none")
