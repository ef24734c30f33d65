"""Public pages of the articles. Localised: included under the language prefix."""

from django.urls import path

from knowledge import feeds, search_views, views

urlpatterns = [
    path("search/", search_views.search, name="search"),
    path("suggest/", search_views.suggest, name="suggest"),
    path("feed.atom", feeds.LatestFeed(), name="feed"),
    path("categories/<slug:slug>/", views.category, name="category"),
    path("categories/<slug:slug>/feed.atom", feeds.CategoryFeed(), name="category_feed"),
    path("articles/<slug:slug>/", views.article, name="article"),
    path("articles/<slug:slug>/vote/", views.vote_on_article, name="article_vote"),
]
