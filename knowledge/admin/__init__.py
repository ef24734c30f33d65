"""The editors' desk in Django's admin: articles and categories."""

from knowledge.admin.articles import ArticleAdmin
from knowledge.admin.categories import CategoryAdmin

__all__ = ["ArticleAdmin", "CategoryAdmin"]
