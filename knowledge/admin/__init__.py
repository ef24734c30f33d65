"""The editors' desk in Django's admin: articles, categories, synonyms, imports and the site itself."""

from knowledge.admin.articles import ArticleAdmin
from knowledge.admin.categories import CategoryAdmin
from knowledge.admin.imports import ImportRunAdmin
from knowledge.admin.site import SiteSettingsAdmin
from knowledge.admin.synonyms import SynonymGroupAdmin

__all__ = ["ArticleAdmin", "CategoryAdmin", "ImportRunAdmin", "SiteSettingsAdmin", "SynonymGroupAdmin"]
