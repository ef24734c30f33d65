"""Articles from elsewhere: what a file or folder holds, read and written into the database.

    source = open_source(path)                                     # or UnusablePath
    report = apply_entries(source.read(), source=source.name)

Each format has a module that reads it into `Entry` and `Problem`; nothing else knows formats. The index is
not touched here: call `knowledge.indexing.sync_stale` afterwards.
"""

from knowledge.importers.apply import ImportReport, apply_entries
from knowledge.importers.entries import Entry, Place, Problem
from knowledge.importers.sources import ImportFormat, Source, UnusablePath, open_source

__all__ = [
    "Entry",
    "ImportFormat",
    "ImportReport",
    "Place",
    "Problem",
    "Source",
    "UnusablePath",
    "apply_entries",
    "open_source",
]
