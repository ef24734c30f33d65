"""The editors' desk in Django's admin: articles, categories and the site itself."""

from knowledge.admin.articles import ArticleAdmin
from knowledge.admin.categories import CategoryAdmin
from knowledge.admin.site import SiteSettingsAdmin

__all__ = ["ArticleAdmin", "CategoryAdmin", "SiteSettingsAdmin"]
