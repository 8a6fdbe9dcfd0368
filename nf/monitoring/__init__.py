"""Suspects and query sets over the months: ledger, watch list, histories. Imports without torch."""

from nf.monitoring.history import Change, Observation, append_history, find_changes, read_history
from nf.monitoring.ledger import IssuedSet, Ledger, note_seen
from nf.monitoring.watchlist import WatchedSuspect, Watchlist, load_watchlist, open_watched, stated_of

__all__ = [
    "Change",
    "IssuedSet",
    "Ledger",
    "Observation",
    "WatchedSuspect",
    "Watchlist",
    "append_history",
    "find_changes",
    "load_watchlist",
    "note_seen",
    "open_watched",
    "read_history",
    "stated_of",
]
