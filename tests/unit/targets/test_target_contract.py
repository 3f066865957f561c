"""The contract of a target, kept by all that can be had outside of a machine of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import target_labs
from tests.target_contract import Lab, OfferingContract, TargetContract


class TestFake(TargetContract):
    @pytest.fixture
    def lab(self, tmp_path: Path) -> Lab:
        return target_labs.FakeLab(tmp_path)


class TestTgt(OfferingContract):
    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        with target_labs.tgt_lab() as lab:
            yield lab


class TestSpdk(OfferingContract):
    @pytest.fixture
    def lab(self, tmp_path: Path) -> Iterator[Lab]:
        with target_labs.spdk_lab(tmp_path) as lab:
            yield lab


class TestScst(OfferingContract):
    @pytest.fixture
    def lab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        return target_labs.ScstLab(tmp_path, monkeypatch)


class TestScstWithOneTarget(OfferingContract):
    @pytest.fixture
    def lab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        name = "iqn.2010-10.org.example:all"
        return target_labs.ScstLab(tmp_path, monkeypatch, scst_target_iqn_name=name)


class TestIet(OfferingContract):
    @pytest.fixture
    def lab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        return target_labs.IetLab(tmp_path, monkeypatch)


class TestChelsio(OfferingContract):
    @pytest.fixture
    def lab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        return target_labs.ChelsioLab(tmp_path, monkeypatch)
