"""The editors' desk in Django's admin: articles, categories and imports."""

from knowledge.admin.articles import ArticleAdmin
from knowledge.admin.categories import CategoryAdmin
from knowledge.admin.imports import ImportRunAdmin

__all__ = ["ArticleAdmin", "CategoryAdmin", "ImportRunAdmin"]
