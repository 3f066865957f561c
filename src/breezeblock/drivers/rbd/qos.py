"""A volume type's limits (QoS specs of the back end) as librbd's options of an image."""

from __future__ import annotations

from collections.abc import Mapping

from breezeblock.drivers.rbd.image import Image

#: Key of the QoS specs -> option of the image.
OPTIONS: Mapping[str, str] = {
    "total_iops_sec": "rbd_qos_iops_limit",
    "read_iops_sec": "rbd_qos_read_iops_limit",
    "write_iops_sec": "rbd_qos_write_iops_limit",
    "total_bytes_sec": "rbd_qos_bps_limit",
    "read_bytes_sec": "rbd_qos_read_bps_limit",
    "write_bytes_sec": "rbd_qos_write_bps_limit",
    "total_iops_sec_max": "rbd_qos_iops_burst",
    "read_iops_sec_max": "rbd_qos_read_iops_burst",
    "write_iops_sec_max": "rbd_qos_write_iops_burst",
    "total_bytes_sec_max": "rbd_qos_bps_burst",
    "read_bytes_sec_max": "rbd_qos_read_bps_burst",
    "write_bytes_sec_max": "rbd_qos_write_bps_burst",
}
_BACK_END = frozenset({"back-end", "both"})


def options(specs: Mapping[str, object]) -> dict[str, str]:
    """The options that specs ask for: ``{"consumer": ..., "total_iops_sec": "100", ...}``.

    Nothing if the consumer is the front end.
    """
    if specs.get("consumer", "back-end") not in _BACK_END:
        return {}
    return {
        option: str(specs[key])
        for key, option in OPTIONS.items()
        if specs.get(key) not in {None, ""}
    }


def change(image: Image, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Hold the image to other limits; those that are not asked for any more are lifted."""
    wanted = options(after)
    for option in options(before).keys() - wanted.keys():
        image.set_option(option, None)
    for option, value in wanted.items():
        image.set_option(option, value)
