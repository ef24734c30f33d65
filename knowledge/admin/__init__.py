"""The editors' desk in Django's admin: articles, categories and synonyms."""

from knowledge.admin.articles import ArticleAdmin
from knowledge.admin.categories import CategoryAdmin
from knowledge.admin.synonyms import SynonymGroupAdmin

__all__ = ["ArticleAdmin", "CategoryAdmin", "SynonymGroupAdmin"]
