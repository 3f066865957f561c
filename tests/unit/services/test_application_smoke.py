from __future__ import annotations

from breezeblock.services.volumes import VolumeRequest
from tests.application import PROJECT, Application


def test_smoke(application: Application) -> None:
    volume = application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    assert application.services.volumes.get(application.ctx(), volume.id).status == "available"
    answer = application.client().simulate_get(
        f"/v3/{PROJECT}/volumes/detail", headers={"X-Auth-Token": f"a:{PROJECT}"}
    )
    assert answer.status_code == 200
    assert answer.json["volumes"][0]["id"] == volume.id
