"""Suspects and query sets over the months: ledger, watch list, histories, correction. Imports without torch."""

from nf.monitoring.correction import Change, CorrectedVerdict, correct, find_changes
from nf.monitoring.history import FORMER_OUTCOMES, Observation, append_history, read_history
from nf.monitoring.ledger import IssuedSet, Ledger, note_seen, shown_to
from nf.monitoring.watchlist import WatchedSuspect, Watchlist, load_watchlist, open_watched, stated_of

__all__ = [
    "FORMER_OUTCOMES",
    "Change",
    "CorrectedVerdict",
    "IssuedSet",
    "Ledger",
    "Observation",
    "WatchedSuspect",
    "Watchlist",
    "append_history",
    "correct",
    "find_changes",
    "load_watchlist",
    "note_seen",
    "open_watched",
    "read_history",
    "shown_to",
    "stated_of",
]
