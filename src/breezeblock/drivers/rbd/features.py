"""Which librbd features an image has, by what its volume asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from breezeblock.domain.resources import Volume
from breezeblock.drivers.rbd.image import Image
from breezeblock.drivers.rbd.site import Site
from breezeblock.targets.interface import ModelUpdate

#: What several writers at once cannot have, in the order in which it can be taken away.
SINGLE_WRITER = (
    "RBD_FEATURE_JOURNALING",
    "RBD_FEATURE_FAST_DIFF",
    "RBD_FEATURE_OBJECT_MAP",
    "RBD_FEATURE_EXCLUSIVE_LOCK",
)


class Features:
    """The feature bits of new images, and their change at a retype."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rbd: Any = site.cluster.bindings.rbd

    def of_new(self, volume: Volume) -> int:
        """The cluster's default, less what several writers at once cannot have."""
        features = self._site.images.default_features() | int(self._rbd.RBD_FEATURE_LAYERING)
        return features & ~self._single_writer() if volume.multiattach else features

    def remembered(self, volume: Volume) -> ModelUpdate | None:
        """What to remember of a new volume, so that a later retype can put it back."""
        if not volume.multiattach:
            return None
        return _saved(self._site.images.default_features())

    def allow_several_writers(self, volume: Volume) -> ModelUpdate:
        """Take those features away; what to remember."""
        with self._site.images.writing(volume.name) as image:
            before = image.features()
            self._switch(image, SINGLE_WRITER, before, False)
        return _saved(before)

    def allow_one_writer(self, volume: Volume) -> ModelUpdate:
        """Give back what ``provider_location`` remembers; what to remember then."""
        wanted = _saved_features(volume.provider_location)
        with self._site.images.writing(volume.name) as image:
            self._switch(image, SINGLE_WRITER[::-1], wanted, True)
        return {"provider_location": None}

    def _switch(self, image: Image, names: Sequence[str], wanted: int, enabled: bool) -> None:
        for name in names:
            bit = int(getattr(self._rbd, name))
            # Looked at each time: librbd switches some together.
            if wanted & bit and bool(image.features() & bit) != enabled:
                image.set_features(bit, enabled)

    def _single_writer(self) -> int:
        return sum(int(getattr(self._rbd, name)) for name in SINGLE_WRITER)


def _saved(features: int) -> ModelUpdate:
    return {"provider_location": json.dumps({"saved_features": features})}


def _saved_features(provider_location: str | None) -> int:
    try:
        return int(json.loads(provider_location or "{}").get("saved_features", 0))
    except (ValueError, AttributeError):
        return 0
