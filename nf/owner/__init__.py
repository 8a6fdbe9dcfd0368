"""An owner's own model and images become a profile: what ``nf init`` and ``nf.protect`` do."""

from nf.owner.introduce import Introduction, Wishes, introduce
from nf.owner.plan import check_wanted, plan_profile
from nf.owner.protect import protect
from nf.owner.write import next_step, notes, write_profile

__all__ = [
    "Introduction",
    "Wishes",
    "check_wanted",
    "introduce",
    "next_step",
    "notes",
    "plan_profile",
    "protect",
    "write_profile",
]
