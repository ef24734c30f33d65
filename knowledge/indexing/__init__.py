"""Brings the index to the database, and says where the two differ.

Promise: passages and their vectors in the database follow the article's text; the index follows the passages
of published articles; every step may be repeated or cut off anywhere without harm. An article counts as
indexed only when the index has taken its passages, so whatever failed is still stale for the next sweep.

Refuses to decide: who may read a passage. Whatever a sync has or has not done, the gate in the database
decides that.
"""

from knowledge.indexing.building import (
    Build,
    BuildState,
    build_next,
    drop_unknown_collections,
    remove_retired,
)
from knowledge.indexing.drift import (
    Canaries,
    DriftReport,
    RepairReport,
    check_index,
    rebuild_index,
    repair_index,
)
from knowledge.indexing.planning import Plan, PlannedPassage, plan_article
from knowledge.indexing.sweeping import Sweeper, sync_stale, warm_up
from knowledge.indexing.syncing import SyncReport, forget_passages, sync_article, sync_stale_here, sync_told
from knowledge.sweepers import bell_held

__all__ = [
    "Build",
    "BuildState",
    "Canaries",
    "DriftReport",
    "Plan",
    "PlannedPassage",
    "RepairReport",
    "Sweeper",
    "SyncReport",
    "bell_held",
    "build_next",
    "check_index",
    "drop_unknown_collections",
    "forget_passages",
    "plan_article",
    "rebuild_index",
    "remove_retired",
    "repair_index",
    "sync_article",
    "sync_stale",
    "sync_stale_here",
    "sync_told",
    "warm_up",
]
