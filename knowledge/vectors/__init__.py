"""The vector index: ids and vectors in Chroma, one collection for each audience, language and recipe.

Promise: what `upsert` returned from is found by the next `query` of any process; the index folder is opened
by its owner alone (`knowledge.ownership`); every failure is a VectorStoreUnavailable within seconds, and the
next call tries again. chromadb is imported by `knowledge.vectors.chroma` alone, once a vector is wanted.

Refuses to decide: which passages belong here (`knowledge.indexing`) and who may read them: whatever comes
back from a query still has to pass the gate in the database.
"""

from knowledge.vectors.names import (
    CollectionKey,
    IndexFolderOwned,
    ServerAddress,
    VectorStoreUnavailable,
    parse_server_url,
)
from knowledge.vectors.store import VectorStore, get_store, reset_store

__all__ = [
    "CollectionKey",
    "IndexFolderOwned",
    "ServerAddress",
    "VectorStore",
    "VectorStoreUnavailable",
    "get_store",
    "parse_server_url",
    "reset_store",
]
