"""What the help center knows: categories, articles and the passages they are searched by.

Each idea has its module; everybody imports from here.
"""

from knowledge import saved_views, site, viewing, votes  # noqa: F401 - their tables belong to this application
from knowledge.models.articles import Article, ArticleQuerySet, Status
from knowledge.models.categories import Category
from knowledge.models.generations import Checkup, Generation, GenerationState, IndexMark
from knowledge.models.imports import ImportChange, ImportRun, ImportState, ImportUpload
from knowledge.models.passages import Passage, PassageQuerySet
from knowledge.models.readers import Audience, Language, Reader, audiences_for
from knowledge.models.synonyms import SynonymGroup
from knowledge.models.workflow import (
    CONTENT,
    ArticleTemplate,
    Autosave,
    ChangeState,
    Deed,
    Notice,
    NoticeKind,
    PendingChange,
    WorkflowEntry,
    content_of,
    read_content,
)

__all__ = [
    "CONTENT",
    "Article",
    "ArticleQuerySet",
    "ArticleTemplate",
    "Audience",
    "Autosave",
    "Category",
    "ChangeState",
    "Checkup",
    "Deed",
    "Generation",
    "GenerationState",
    "ImportChange",
    "ImportRun",
    "ImportState",
    "ImportUpload",
    "IndexMark",
    "Language",
    "Notice",
    "NoticeKind",
    "Passage",
    "PassageQuerySet",
    "PendingChange",
    "Reader",
    "Status",
    "SynonymGroup",
    "WorkflowEntry",
    "audiences_for",
    "content_of",
    "read_content",
]
