"""The editors' desk in Django's admin: articles, categories, synonyms, imports and the site itself."""

from knowledge.admin.article_templates import ArticleTemplateAdmin
from knowledge.admin.articles import ArticleAdmin
from knowledge.admin.categories import CategoryAdmin
from knowledge.admin.imports import ImportRunAdmin
from knowledge.admin.site import SiteSettingsAdmin
from knowledge.admin.synonyms import SynonymGroupAdmin

__all__ = [
    "ArticleAdmin",
    "ArticleTemplateAdmin",
    "CategoryAdmin",
    "ImportRunAdmin",
    "SiteSettingsAdmin",
    "SynonymGroupAdmin",
]
