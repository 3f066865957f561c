"""The LVM backend: volumes are logical volumes of one volume group of this host.

``commands`` runs the programs, ``report`` reads what they say, ``volume_group`` has the verbs,
``journal`` remembers what is half made, and above them ``driver`` keeps the contract.
"""

from __future__ import annotations
