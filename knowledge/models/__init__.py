"""What the help center knows: categories, articles and the passages they are searched by.

Each idea has its module; everybody imports from here.
"""

from knowledge import site, votes  # noqa: F401 - their tables belong to this application
from knowledge.models.articles import Article, ArticleQuerySet, Status
from knowledge.models.categories import Category
from knowledge.models.generations import Checkup, Generation, GenerationState, IndexMark
from knowledge.models.imports import ImportChange, ImportRun, ImportState, ImportUpload
from knowledge.models.passages import Passage, PassageQuerySet
from knowledge.models.readers import Audience, Language, Reader, audiences_for
from knowledge.models.synonyms import SynonymGroup

__all__ = [
    "Article",
    "ArticleQuerySet",
    "Audience",
    "Category",
    "Checkup",
    "Generation",
    "GenerationState",
    "ImportChange",
    "ImportRun",
    "ImportState",
    "ImportUpload",
    "IndexMark",
    "Language",
    "Passage",
    "PassageQuerySet",
    "Reader",
    "Status",
    "SynonymGroup",
    "audiences_for",
]
